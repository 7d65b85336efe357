"""The scripts that task definitions carry."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import containers
from containers import script

SCRIPTS = sorted(path.name for path in Path(containers.__file__).parent.glob("*.*") if path.name != "__init__.py")


@pytest.mark.parametrize("name", SCRIPTS)
def test_carries_no_comment_and_no_template_of_terraforms(name: str) -> None:
    text = script(name)
    assert text.strip()
    assert not [line for line in text.splitlines() if line.lstrip().startswith("# ")]
    assert "${" not in text
    assert "%{" not in text


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.endswith(".sh")])
def test_is_a_script_that_bash_understands(name: str) -> None:
    done = subprocess.run(["bash", "-n", "-c", script(name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_refuses_what_terraform_would_read_as_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.sh").write_text("echo ${HOME}\n")
    monkeypatch.setattr(containers, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(ValueError, match=r"bad.sh has \$\{, which Terraform would read as its own"):
        script("bad.sh")


# What OMERO.server writes of its own into files (OMERO's guide, "Server backup and restore").
LOGS = (
    *(f"{name}.log" for name in ("Blitz-0", "DropBox", "FileServer", "Indexer-0", "MonitorServer", "PixelData-0")),
    *("Processor-0.log", "Tables-0.log", "master.err", "master.out"),
)


def _stand_in(image: Path, text: str) -> str:
    """The script with the image's folders replaced by stand-ins below `image`."""
    for folder in ("/opt/omero", "/usr/local/bin", "/startup", "/OMERO/"):
        text = text.replace(folder, f"{image}{folder}")
    return text


def _executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A stand-in for the server's image: the same folders, and start-up steps that say that they ran.

    `var` is as an empty volume leaves it, and the server starts only where `var/tmp` is: so does OMERO.server since
    5.6.17 (ome/openmicroscopy issue 6448). `calls` has the command lines of `omero`, and what the server did.
    """
    logs = tmp_path / "opt/omero/server/OMERO.server/var/log"
    logs.mkdir(parents=True)
    calls = tmp_path / "calls"
    _executable(tmp_path / "startup/50-config.py", f"echo ran 50-config.py; echo configured >> {calls}")
    _executable(tmp_path / "startup/60-database.sh", "echo ran 60-database.sh")
    temporary = logs.parent / "tmp"
    write = "; ".join(f"echo from {name} >> {logs}/{name}" for name in LOGS)
    # Until it is told to stop, where a test wants that.
    runs = f"while [ -e {tmp_path}/runs ]; do sleep 0.05; done; echo ended >> {calls}"
    start = f"test -d {temporary} || exit; echo ran 99-run.sh; echo started >> {calls}; {write}; sleep 2.5; {runs}"
    _executable(tmp_path / "startup/99-run.sh", start)
    _executable(tmp_path / "opt/omero/server/venv3/bin/activate", "true")
    stop = f"rm -f {tmp_path}/runs; until grep -q ended {calls}; do sleep 0.05; done"
    _executable(
        tmp_path / "opt/omero/server/venv3/bin/omero",
        f"""case "$*" in
            "admin status") [ -e {tmp_path}/up ] ;;
            "admin stop"*) echo "omero $*" >> {calls}; grep -q started {calls} || exit 1; {stop} ;;
            *) echo "omero $*" >> {calls} ;;
        esac""",
    )
    (tmp_path / "OMERO").mkdir()
    return tmp_path


def _environ() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "SERVER_IMAGE": "example/server:2", "OMERO_TMPDIR": "/tmp"}  # noqa: S108


def _command(image: Path, name: str) -> list[str]:
    text = _stand_in(image, script(name)).replace("tail -n", "timeout 4 tail -n")
    return ["/bin/bash", "-c", text.replace("sleep 5;", "sleep 0.1;").replace("sleep 15", "sleep 0.1")]


def _output(image: Path, name: str) -> list[str]:
    done = subprocess.run(_command(image, name), capture_output=True, text=True, check=True, env=_environ())
    return done.stdout.splitlines()


def _calls(image: Path) -> list[str]:
    path = image / "calls"
    return path.read_text().splitlines() if path.exists() else []


def _well(image: Path, text: str) -> Path:
    mark = image / "OMERO/.omero-on-aws/well"
    mark.parent.mkdir()
    mark.write_text(text)
    return mark


def test_the_read_write_server_runs_every_step_and_copies_its_logs(image: Path) -> None:
    said = _output(image, "server.sh")
    assert [line for line in said if line.startswith("ran")] == [
        "ran 50-config.py",
        "ran 60-database.sh",
        "ran 99-run.sh",
    ]
    assert {f"{name} | from {name}" for name in LOGS} <= set(said)


@pytest.mark.parametrize("name", ["server.sh", "read_only_server.sh"])
def test_no_server_asks_for_a_newer_omero(image: Path, name: str) -> None:
    """The setting comes after the image's step that begins with none."""
    if name == "read_only_server.sh":
        _well(image, "example/server:2\n")
    _output(image, name)
    assert _calls(image)[:3] == ["configured", "omero config set -- omero.upgrades.url ", "started"]


@pytest.mark.parametrize("name", ["server.sh", "read_only_server.sh"])
def test_a_stop_lets_the_server_end_by_itself(image: Path, name: str) -> None:
    if name == "read_only_server.sh":
        _well(image, "example/server:2\n")
    (image / "runs").touch()
    with subprocess.Popen(_command(image, name), stdout=subprocess.PIPE, text=True, env=_environ()) as server:
        assert server.stdout is not None
        while "from Blitz-0.log" not in server.stdout.readline():
            assert server.poll() is None
        server.terminate()
        assert server.wait() == 0
    assert _calls(image)[-2:] == ["omero admin stop --wait 100", "ended"]


def test_a_stop_before_the_server_has_started_ends_it_at_once(image: Path) -> None:
    _executable(image / "startup/60-database.sh", "echo waiting; exec sleep 60")
    with subprocess.Popen(_command(image, "server.sh"), stdout=subprocess.PIPE, text=True, env=_environ()) as server:
        assert server.stdout is not None
        while "waiting" not in server.stdout.readline():
            assert server.poll() is None
        server.terminate()
        assert server.wait(30) == 0
        server.stdout.close()


def test_the_read_write_server_tells_first_which_nfs_client_it_is(image: Path) -> None:
    """As `os.stat` and Linux have it, from the mount of the server's own container."""
    folder = image / "OMERO/.omero-on-aws"
    _executable(image / "startup/50-config.py", f"cp {folder}/mount {image}/seen")
    _output(image, "server.sh")
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (image / "seen").read_text() == f"{boot_id} {(image / 'OMERO').stat().st_dev}\n"
    assert not (folder / "mount.new").exists()


def test_the_read_write_server_notes_that_it_is_well_and_not_before(image: Path) -> None:
    mark = image / "OMERO/.omero-on-aws/well"
    _output(image, "server.sh")
    assert not mark.exists()
    (image / "up").touch()
    _output(image, "server.sh")
    assert mark.read_text() == "example/server:2\n"


@pytest.mark.parametrize("before", [None, "example/server:1\n", ""], ids=["first start", "older image", "half written"])
def test_a_read_only_server_waits_for_a_read_write_one_of_its_image(image: Path, before: str | None) -> None:
    if before is not None:
        _well(image, before)
    with subprocess.Popen(
        _command(image, "read_only_server.sh"), stdout=subprocess.PIPE, text=True, env=_environ()
    ) as server:
        assert server.stdout is not None
        said = "waiting until a read-write server of the image example/server:2 has started\n"
        assert [server.stdout.readline() for _ in range(3)] == [said] * 3
        mark = image / "OMERO/.omero-on-aws"
        mark.mkdir(exist_ok=True)
        (mark / "well").write_text("example/server:2\n")
        assert "ran 99-run.sh" in server.stdout.read()
    assert server.returncode == 0


def test_a_read_only_server_skips_the_database_step(image: Path) -> None:
    _well(image, "example/server:2\n")
    said = _output(image, "read_only_server.sh")
    assert [line for line in said if line.startswith("ran")] == ["ran 50-config.py", "ran 99-run.sh"]
    assert "Blitz-0.log | from Blitz-0.log" in said


def test_a_read_only_server_makes_its_certificates_where_it_may_write(image: Path) -> None:
    """The image makes them when it loads its settings, in /OMERO (00-omero-server-omero.j2 of its role)."""
    _well(image, "example/server:2\n")
    _output(image, "read_only_server.sh")
    assert "omero certificates" not in _calls(image), "an image that makes none"
    settings = image / "opt/omero/server/config/00-omero-server.omero"
    settings.parent.mkdir()
    settings.write_text("config set omero.db.host db\ncertificates -v\n")
    (image / "calls").unlink()
    _output(image, "read_only_server.sh")
    folder = "omero config set -- omero.glacier2.IceSSL.DefaultDir /tmp/certs"
    calls = _calls(image)
    assert calls.index("configured") < calls.index(folder) < calls.index("omero certificates") < calls.index("started")


NEEDED = (
    "opt/omero/server/venv3/bin/activate",
    "opt/omero/server/venv3/bin/omero",
    "opt/omero/server/OMERO.server/var",
    "startup/50-config.py",
    "startup/60-database.sh",
    "startup/99-run.sh",
)


@pytest.mark.parametrize("name", ["server.sh", "read_only_server.sh"])
@pytest.mark.parametrize("missing", NEEDED)
def test_an_image_that_lacks_what_is_used_is_told_at_once(image: Path, name: str, missing: str) -> None:
    (image / missing).rename(image / "elsewhere")
    done = subprocess.run(
        _command(image, name), capture_output=True, text=True, check=False, env=_environ(), timeout=60
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: the image example/server:2 has no {image}/{missing}, by which OMERO.server is started: give "
        "omero.server.image one that is made like openmicroscopy/omero-server\n"
    )
    assert not (image / "OMERO/.omero-on-aws").exists()


@pytest.mark.parametrize("name", ["server.sh", "read_only_server.sh"])
def test_an_image_whose_folder_cannot_be_written_is_told_at_once(image: Path, name: str) -> None:
    folder = image / "opt/omero/server/OMERO.server/var"
    (folder / "tmp").touch()  # root may write anywhere, and no folder in a file's place
    done = subprocess.run(
        _command(image, name), capture_output=True, text=True, check=False, env=_environ(), timeout=60
    )
    assert done.returncode == 1
    assert f"does not let its user write {folder}, where OMERO.server keeps temporary files" in done.stderr
