"""Set up the real parts that `make peers` runs: OMERO.web in .tools/web, and a Redis or Valkey server with TLS.

Run as `python3 scripts/deploy/web_parts.py [--quiet]`, which is what `make setup-web` does, after set-up. What it needs
and where its packages come from says scripts/deploy/omero_parts.py. The server is valkey-server or redis-server of the
PATH; where there is none and the machine is a Debian, Debian's packages are fetched by apt, which verifies them, and
unpacked into .tools/cache, which takes no superuser. Valkey began as Redis 7.2 and speaks the same protocol.

Exit codes are those of scripts/deploy/bootstrap.py.
"""

# This file has to parse on Python 3.8, as scripts/deploy/bootstrap.py does.
from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # Python puts scripts/deploy there, where `scripts` is not to be found

from scripts.deploy import bootstrap, omero_parts  # noqa: E402
from scripts.deploy.bootstrap import Step, call, remove  # noqa: E402
from scripts.deploy.terraform import Stop  # noqa: E402

SERVERS = ("valkey-server", "redis-server")
# redis-server is a link to a program of redis-tools; the rest are the libraries of that which a small Debian lacks.
PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1")
FOLDER = "cache"


def cache_server(root: Path, env: Mapping[str, str]) -> tuple[Path, dict[str, str]]:
    """The server's program, and the variables that it needs.

    Raises:
        Stop: there is none.
    """
    for name in SERVERS:
        if found := shutil.which(name, path=env.get("PATH", "")):
            return Path(found), {}
    where = root / ".tools" / FOLDER
    if (unpacked := where / "usr/bin/redis-server").exists():
        folders = sorted({str(path.parent) for path in where.rglob("lib*.so*")})
        return unpacked, {"LD_LIBRARY_PATH": os.pathsep.join(folders)}
    raise Stop(
        "OMERO.web's sessions need a Valkey or Redis server, and this machine has none: install it (Debian and Ubuntu: "
        "`apt install redis-server`), and run `make setup-web` again."
    )


def cache_step(root: Path, env: Mapping[str, str]) -> Step | None:
    """The set-up of .tools/cache; None where the machine has a server."""
    if any(shutil.which(name, path=env.get("PATH", "")) for name in SERVERS) or not shutil.which("apt-get"):
        return None
    where = root / ".tools" / FOLDER

    def make() -> None:
        remove(where)
        with tempfile.TemporaryDirectory() as folder:
            # Lists of its own: those of the machine are the superuser's, and may be old or not there.
            lists, archives = Path(folder) / "lists", Path(folder) / "archives"
            for each in (lists, archives):
                (each / "partial").mkdir(parents=True)
            options = ["-qq", "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache::Archives={archives}"]
            call("Redis", ["apt-get", *options, "update"], root)
            # apt downloads into the working directory.
            done = subprocess.run(
                ["apt-get", *options, "download", *PACKAGES], cwd=archives, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise Stop(f"Debian's redis-server could not be fetched: {done.stderr.strip().splitlines()[-1]}")
            for package in sorted(archives.glob("*.deb")):
                call("Redis", ["dpkg-deb", "--extract", package, where], root)

    return Step(FOLDER, "Redis, for OMERO.web's sessions", PACKAGES, (where / "usr/bin/redis-server",), make)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Set up OMERO.web and a cache, which `make peers` runs.")
    parser.add_argument("--quiet", action="store_true", help="print nothing when everything is in place")
    args = parser.parse_args(argv)

    def set_up() -> None:
        web = omero_parts.environment(ROOT, os.environ, "web", "OMERO.web", ("omero", "gunicorn", "dumb-init"))
        bootstrap.set_up_parts([each for each in (web, cache_step(ROOT, os.environ)) if each], args.quiet)
        cache_server(ROOT, os.environ)

    return bootstrap.exit_code(set_up, "make setup-web")


if __name__ == "__main__":
    raise SystemExit(main())
