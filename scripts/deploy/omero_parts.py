"""Set up what of OMERO itself the tests ask: omero-py with its parser, and OMERO.dropbox, in .tools/omero.

Run as `python3 scripts/deploy/omero_parts.py [--wheel] [--quiet]`, which is what `make setup-omero` does, after set-up.
It needs Python 3.10, for zeroc-ice 3.6.5 compiles with none that is newer; a C++ compiler; and the headers of OpenSSL
and bzip2. Its packages are pinned with hashes in tools/. zeroc-ice is compiled once for a machine (140 s on one core),
and kept in the user's cache folder by what it is made of; `--wheel` does that alone, beside other work.

Exit codes are those of scripts/deploy/bootstrap.py.
"""

# This file has to parse on Python 3.8, as scripts/deploy/bootstrap.py does.
from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # Python puts scripts/deploy there, where `scripts` is not to be found

from scripts import trust  # noqa: E402
from scripts.deploy import bootstrap  # noqa: E402
from scripts.deploy.bootstrap import Step, call, child_environment, content, remove, timed  # noqa: E402
from scripts.deploy.terraform import Stop, digest, os_arch  # noqa: E402

VERSION = "3.10"
# What is quickest to compile: nothing that is asked of it takes long.
FLAGS = "-O0 -g0"
AGAIN = "and run `make setup-omero` again"
PACKAGES = "Debian and Ubuntu: `apt install g++ libssl-dev libbz2-dev`"


def find_python(env: Mapping[str, str]) -> tuple[Path, Path]:
    """A Python 3.10, on the PATH or pyenv's, and its headers; raises Stop where there is none."""
    found = shutil.which(f"python{VERSION}", path=env.get("PATH", ""))
    candidates = [Path(found)] if found else []
    root = Path(env.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += sorted(root.glob(f"versions/{VERSION}.*/bin/python{VERSION}"), reverse=True)
    for each in candidates:
        # pyenv's own program of that name says which Python it means only where one is chosen.
        said = _answer(
            [
                each,
                "-c",
                "import ensurepip, sys, sysconfig; print(sys.executable, sysconfig.get_path('include'), sep='\\n')",
            ]
        )
        if len(lines := said.split("\n")) > 1:
            return Path(lines[0]), Path(lines[1])
    raise Stop(
        f"OMERO's own parser needs Python {VERSION}, which is neither on the PATH nor in {root}: install it (pyenv: "
        f"`pyenv install {VERSION}`; Debian and Ubuntu, where there is one: `apt install python{VERSION}-venv "
        f"python{VERSION}-dev`), {AGAIN}."
    )


def _answer(command: Sequence[str | Path]) -> str:
    done = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""


def check_compiler(headers: Path, env: Mapping[str, str]) -> None:
    """Raises Stop where the C++ compiler or a header is missing."""
    if not shutil.which("g++", path=env.get("PATH", "")):
        raise Stop(f"zeroc-ice is compiled from its source, and there is no g++: install it ({PACKAGES}), {AGAIN}.")
    for name in ("Python.h", "openssl/ssl.h", "bzlib.h"):
        done = subprocess.run(
            ["g++", "-E", "-x", "c++", "-I", str(headers), "-"],
            input=f"#include <{name}>\n",
            env=dict(env),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            which = f"`apt install python{VERSION}-dev`" if name == "Python.h" else PACKAGES
            raise Stop(
                f"zeroc-ice is compiled from its source, and g++ does not find {name}: install it ({which}), {AGAIN}."
            )


def wheel(root: Path, env: Mapping[str, str]) -> Path:
    """zeroc-ice, compiled where it is not in the cache; one set-up at a time does that, and others wait for it."""
    python, headers = find_python(env)
    made_of = digest(
        content(root, "tools/zeroc-ice.txt"),
        content(root, "tools/zeroc-ice-build.txt"),
        f"{os_arch()} {FLAGS}".encode(),
    )
    cache = Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "omero-on-aws" / f"zeroc-ice-{made_of[:16]}"
    with _locked(cache):
        if not any(cache.glob("*.whl")):
            check_compiler(headers, env)
            with timed("zeroc-ice, compiled once (about 140 s)"), tempfile.TemporaryDirectory() as folder:
                made = _compiled(root, python, Path(folder))
                shutil.copy(made, cache / f"{made.name}.part")
                (cache / f"{made.name}.part").rename(cache / made.name)
        return next(cache.glob("*.whl"))


def _compiled(root: Path, python: Path, folder: Path) -> Path:
    make_venv(root, python, folder / "venv", "what compiles zeroc-ice", ["-r", root / "tools/zeroc-ice-build.txt"])
    env = {**child_environment(root), "CFLAGS": FLAGS}
    pip: list[str | Path] = [folder / "venv" / "bin" / "python", "-m", "pip"]
    env.update(trust.pip_variables(pip, env))
    options: list[str | Path] = ["--no-deps", "--no-build-isolation", "--require-hashes", "-w", folder]
    call("zeroc-ice", [*pip, "wheel", *options, "-r", root / "tools/zeroc-ice.txt"], root, env)
    return next(folder.glob("*.whl"))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl  # noqa: PLC0415 - Windows has none, and bootstrap says so

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def make_venv(root: Path, python: Path, where: Path, what: str, *packages: list[str | Path]) -> None:
    """A virtual environment with packages: each list is pip's own arguments."""
    remove(where)
    call(what, [python, "-m", "venv", where], root)
    pip: list[str | Path] = [where / "bin" / "python", "-m", "pip"]
    env = child_environment(root)
    env.update(trust.pip_variables(pip, env))
    for each in packages:
        hashes = ["--require-hashes"] if "-r" in each else []
        call(what, [*pip, "install", *hashes, "--no-deps", *each], root, env)


def step(root: Path, env: Mapping[str, str]) -> Step:
    """The set-up of .tools/omero."""
    return environment(root, env, "omero", "OMERO's own parts", ("omero",))


def environment(root: Path, env: Mapping[str, str], name: str, what: str, programs: Sequence[str]) -> Step:
    """The set-up of .tools/`name`: Python 3.10 with the packages of tools/`name`.txt, their `programs`, zeroc-ice."""
    where, compiled = root / ".tools" / name, wheel(root, env)
    python, _ = find_python(env)
    inputs = (digest(content(root, f"tools/{name}.txt")), str(compiled), os.path.realpath(python), str(root))

    def make() -> None:
        packages: list[str | Path] = ["-r", root / "tools" / f"{name}.txt"]
        make_venv(root, python, where, what, packages, ["--no-index", compiled])

    return Step(name, what, inputs, tuple(where / "bin" / each for each in ("python", *programs)), make)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Set up OMERO's own parser, which the tests ask.")
    parser.add_argument("--wheel", action="store_true", help="only compile zeroc-ice, where that is not done yet")
    parser.add_argument("--quiet", action="store_true", help="print nothing when everything is in place")
    args = parser.parse_args(argv)

    def set_up() -> None:
        if args.wheel:
            wheel(ROOT, os.environ)
        else:
            # Made outside the lock: it may compile for minutes.
            bootstrap.set_up_parts([step(ROOT, os.environ)], args.quiet)

    return bootstrap.exit_code(set_up, "make setup-omero")


if __name__ == "__main__":
    raise SystemExit(main())
