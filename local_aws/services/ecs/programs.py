"""A container whose command really runs: its processes, in a folder of their own (see `local_aws.sandbox`)."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from local_aws import files
from local_aws.services.ecs import helpers, logs
from local_aws.services.ecs.images import Image

Json = dict[str, Any]

_PACKAGE = Path(__file__).resolve().parents[2]
_SANDBOX = str(_PACKAGE / "sandbox.py")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LOCAL = "/run/local-aws"  # in the container: what only stand-ins know of
_STOP_SECONDS = 30  # ECS's stopTimeout, if a definition has none
_OWN_FOLDERS = ("etc", "home", "opt", "root", "run", "srv", "tmp", "var/tmp", "proc", "dev", "sys", "usr")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "pts")
_ETC = ("ssl", "pki", "alternatives", "ca-certificates", "ld.so.cache", "localtime", "nsswitch.conf", "resolv.conf")


class NotStarted(Exception):
    """The container could not be started; the message is the reason as ECS gives it."""


@functools.cache
def folder() -> Path:
    """This server's folder for all of its containers, removed at its end."""
    path = Path(tempfile.mkdtemp(prefix="local-aws-containers-")).resolve()
    path.chmod(0o755)
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(path, ignore_errors=True) if os.getpid() == owner else None)
    return path


class Program:
    """The processes of one container.

    `mounts` maps a path in the container to a folder here, and whether it is read-only; `clients` to what is one for
    all containers that share the mount: a task mounts a volume once, and another task is another NFS client. Raises
    NotStarted.
    """

    def __init__(
        self,
        *,
        name: str,
        image: Image,
        definition: Json,
        environment: dict[str, str],
        mounts: dict[str, tuple[Path, bool]],
        clients: dict[str, str],
        stream: logs.Stream | None,
    ) -> None:
        self.folder = folder() / name
        self.environment = {"PATH": _PATH, **image.environment, **environment}
        self.directory = definition.get("workingDirectory") or image.directory
        self.stop_seconds = float(definition.get("stopTimeout") or _STOP_SECONDS)
        command = definition.get("command") or ([] if definition.get("entryPoint") else image.command)
        specification = {
            "command": [*(definition.get("entryPoint") or image.entry_point), *command],
            "environment": self.environment,
            "directory": self.directory,
            "root": str(self.folder / "root"),
            "hostname": name[:12],
            "mounts": [*self._system(image), *([str(at), path, only] for path, (at, only) in sorted(mounts.items()))],
            "uid": int(str(definition.get("user") or image.user).partition(":")[0]),
            "init": bool((definition.get("linuxParameters") or {}).get("initProcessEnabled")),
        }
        places = {
            path: f"{_LOCAL}/files/{at.relative_to(files.root())}" for path, (at, _) in mounts.items() if _is_kept(at)
        }
        (self.folder / "local" / "mounts.json").write_text(json.dumps(places), encoding="utf-8")
        (self.folder / "local" / "clients.json").write_text(json.dumps(clients), encoding="utf-8")
        self._process = self._started(specification, stream)

    def _system(self, image: Image) -> list[tuple[str, str, bool]]:
        """Make the root directory; what of this machine is seen in it."""
        root, local = self.folder / "root", self.folder / "local"
        for each in _OWN_FOLDERS:
            (root / each).mkdir(parents=True, exist_ok=True)
        (root / "tmp").chmod(0o1777)
        (root / "dev" / "shm").mkdir()
        for each, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
            (root / "dev" / each).symlink_to(f"/proc/self/fd{target}")
        (root / "dev" / "ptmx").symlink_to("pts/ptmx")
        # Not the whole of /dev: this machine's user may be one who writes to its disks.
        mounts = [("/usr", "/usr", True), *((f"/dev/{each}", f"/dev/{each}", False) for each in _DEVICES)]
        for each in ("bin", "sbin", "lib", "lib64"):
            here = Path("/", each)
            if here.is_symlink():
                (root / each).symlink_to(here.readlink())
            elif here.is_dir():
                mounts.append((str(here), f"/{each}", True))
        mounts += [(f"/etc/{each}", f"/etc/{each}", True) for each in _ETC if Path("/etc", each).exists()]
        own_local = self.folder / "usr-local"
        own_local.mkdir()
        mounts.append((str(own_local), "/usr/local", False))
        for at in sorted(image.root.rglob("*")):
            inside = at.relative_to(image.root)
            into = own_local / inside.relative_to("usr/local") if inside.is_relative_to("usr/local") else root / inside
            if at.is_dir() and not inside.is_relative_to("usr"):
                into.mkdir(parents=True, exist_ok=True)
            elif at.is_file() and (inside.is_relative_to("usr/local") or not inside.is_relative_to("usr")):
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(at, into)
            elif at.is_file() and Path("/", inside).exists():
                mounts.append((str(at), str(Path("/", inside)), True))
        local.mkdir()
        packages = {"local_aws": _PACKAGE, **image.packages}
        mounts += [
            (str(local), _LOCAL, False),
            *((str(at), f"{_LOCAL}/packages/{name.replace('.', '/')}", True) for name, at in packages.items()),
            (str(files.root()), f"{_LOCAL}/files", False),
            (str(_compiled()), f"{_LOCAL}/compiled", False),
        ]
        if helper := helpers.place(image, folder()):
            mounts.append((str(helper), f"{_LOCAL}/helper", False))
        if not Path(sys.base_prefix).is_relative_to("/usr") or Path(sys.base_prefix).is_relative_to("/usr/local"):
            mounts.append((sys.base_prefix, sys.base_prefix, True))
        (local / "python").symlink_to(Path(sys.executable).resolve())
        return mounts

    def _started(self, specification: Json, stream: logs.Stream | None) -> subprocess.Popen[bytes]:
        place = self.folder / "run.json"
        place.touch(mode=0o600)  # it holds the secrets
        place.write_text(json.dumps(specification), encoding="utf-8")
        reading, status = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", _SANDBOX, "run", str(status), str(place)],
                stdin=subprocess.PIPE,  # it ends with this server, and so do they
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[status],
                env={},
                start_new_session=True,
            )
        finally:
            os.close(status)
        with os.fdopen(reading, "rb") as told:
            problem = told.read().decode("utf-8", "replace")
        place.unlink()
        if problem:
            process.wait()
            self.remove()
            raise NotStarted(f"CannotStartContainerError: {problem}")
        threading.Thread(target=logs.follow, args=(process.stdout, stream), daemon=True).start()
        return process

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + n if signal n ended it."""
        code = self._process.poll()
        return None if code is None else (128 - code if code < 0 else code)

    def stop(self) -> None:
        """SIGTERM now, and SIGKILL when the definition's stopTimeout is over."""
        self._process.terminate()
        timer = threading.Timer(self.stop_seconds, self._process.kill)
        timer.daemon = True
        timer.start()

    def kill(self) -> None:
        self._process.kill()

    def kill_after(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self._process.kill)
        timer.daemon = True
        timer.start()

    def enter(self, command: list[str], terminal: int) -> subprocess.Popen[bytes]:
        """Run a command as root beside the container's, with `terminal` (a file descriptor) as its controlling one."""
        place = Path(tempfile.mkstemp(dir=self.folder, suffix=".json")[1])
        environment = {**self.environment, "HOME": "/root", "TERM": "xterm-256color"}
        place.write_text(
            json.dumps({"command": command, "environment": environment, "directory": self.directory}), encoding="utf-8"
        )
        return subprocess.Popen(
            [sys.executable, "-I", "-S", _SANDBOX, "enter", str(self._process.pid), str(place)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env={},
            start_new_session=True,
        )

    def remove(self) -> None:
        """Its folder; what is mounted there is so only for its own processes."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_kept(at: Path) -> bool:
    return at.is_relative_to(files.root())


def _compiled() -> Path:
    """Python's compiled files, which containers share: their code is read-only."""
    path = folder() / "compiled"
    path.mkdir(exist_ok=True)
    return path
