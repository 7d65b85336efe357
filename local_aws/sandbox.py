"""Runs a program in a container of its own: a process that `local_aws.services.ecs.programs` starts.

`python sandbox.py run STATUS SPECIFICATION` makes the container and runs its command: user, mount, process, IPC and
host name namespaces, so that it takes no superuser. It ends with the command's exit code, 128 + n for a signal. SIGTERM
is passed to the command; when it is killed itself, or its standard input ends, so are all processes of the container.
STATUS is an open file descriptor: why the command could not be started is written to it; it is closed when it was.
`python sandbox.py enter PID SPECIFICATION` runs a command as root in the container whose `run` has that process id.

In the container this machine's user is uid 0. A command of another uid runs in a user namespace of its own inside,
where this machine's user is that uid: one id is all that an ordinary user may map (user_namespaces(7)).

A specification is a JSON file: `command`, `environment`, `directory`, and for `run` also `root` (a folder, the root
directory), `hostname`, `mounts` ([source, target, read-only]), `uid`, and `init` (whether process 1 is an init).
It needs nothing but Python's own library.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import platform
import select
import signal
import sys
import termios
from pathlib import Path
from typing import Any

# linux/sched.h, linux/mount.h, linux/prctl.h
_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID = 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_DETACH = 2
_PDEATHSIG = 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_NOT_STARTED, _NOT_FOUND = 125, 127

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _checked(_libc.unshare(flags), "unshare")


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    arguments = [None if each is None else os.fsencode(each) for each in (source, target, kind)]
    _checked(_libc.mount(*arguments, ctypes.c_ulong(flags), None), f"mount {source} at {target}")


def become(uid: int, gid: int) -> None:
    """Be `uid` in a user namespace of one's own, in which nobody else is known."""
    own, group = os.geteuid(), os.getegid()
    unshare(_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {own} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {group} 1", encoding="ascii")


def join(pid: int, uid: int) -> bool:
    """Be `uid` in the user namespace of a process, if that has become this user."""
    if Path(f"/proc/{pid}/uid_map").read_text(encoding="ascii").split()[:1] != [str(uid)]:
        return False
    place = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    _checked(_libc.setns(place, _NEWUSER), "setns")
    os.close(place)
    return True


def _bind(root: str, source: str, target: str, read_only: bool) -> None:
    place = Path(root + target)
    if not os.path.lexists(place):
        if Path(source).is_dir():
            place.mkdir(parents=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
    _mount(source, str(place), None, _BIND | _REC)
    if read_only:
        # The flags that the mount has in the outer namespace may not be dropped here.
        present = os.statvfs(place).f_flag
        kept = sum(
            flag
            for name, flag in (("ST_NOSUID", _NOSUID), ("ST_NODEV", _NODEV), ("ST_NOEXEC", _NOEXEC))
            if present & getattr(os, name)
        )
        _mount("none", str(place), None, _BIND | _REMOUNT | _RDONLY | kept)


def _enter_root(spec: dict[str, Any]) -> None:
    root = spec["root"]
    _mount("none", "/", None, _REC | _PRIVATE)
    _mount(root, root, None, _BIND | _REC)
    for source, target, read_only in spec["mounts"]:
        _bind(root, source, target, read_only)
    try:
        _mount("proc", f"{root}/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    except OSError:  # not allowed where parts of the outer /proc are hidden
        _mount("/proc", f"{root}/proc", None, _BIND | _REC)
    os.chdir(root)
    _checked(_libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _DETACH), "umount2")
    os.chdir("/")


def _execute(spec: dict[str, Any]) -> None:
    command, environment = spec["command"], spec["environment"]
    os.chdir(spec["directory"])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(command[0], command, environment)


def _first(spec: dict[str, Any], status: int) -> None:
    """Process 1 of a container."""
    try:
        _enter_root(spec)
        with contextlib.suppress(OSError):
            hostname = spec["hostname"].encode()
            _libc.sethostname(hostname, len(hostname))
        if spec["uid"]:
            become(spec["uid"], spec["uid"])
        _libc.prctl(_PDEATHSIG, signal.SIGKILL)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        if spec["init"]:
            _init(spec, status)
        _execute(spec)
    except FileNotFoundError as error:
        name = spec["command"][0]
        reason = f'exec: "{name}": executable file not found in $PATH' if error.filename in (None, name) else str(error)
        os.write(status, f"OCI runtime create failed: {reason}".encode())
        os._exit(_NOT_FOUND)
    except BaseException as error:
        os.write(status, f"OCI runtime create failed: {error}".encode())
        os._exit(_NOT_STARTED)


def _init(spec: dict[str, Any], status: int) -> None:
    """As tini: one child, to which signals go; whatever else ends is reaped."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
        _first_command(spec, status)
    os.close(status)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda caught, _frame: os.kill(child, caught))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    while True:
        pid, ended = os.wait()
        if pid == child:
            os._exit(_code(ended))


def _first_command(spec: dict[str, Any], status: int) -> None:
    try:
        _execute(spec)
    except OSError:
        os.write(status, f'OCI runtime create failed: exec: "{spec["command"][0]}": not found in $PATH'.encode())
        os._exit(_NOT_FOUND)


def _code(status: int) -> int:
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def run(status: int, spec: dict[str, Any]) -> int:
    """The exit code of the container's command."""
    os.set_inheritable(status, False)
    try:
        become(0, 0)
        unshare(_NEWNS | _NEWPID | _NEWIPC | _NEWUTS)
    except OSError as error:
        os.write(status, f"user namespaces are not allowed on this machine ({error})".encode())
        return _NOT_STARTED
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        _first(spec, status)
    os.close(status)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    # No thread: there may be none after the change of the process namespace.
    ended = os.pidfd_open(child)
    while ended not in (ready := select.select([0, ended], [], [])[0]):
        if ready and not os.read(0, 1):  # the server is gone
            os.kill(child, signal.SIGKILL)
            break
    return _code(os.waitpid(child, 0)[1])


def enter(pid: int, spec: dict[str, Any]) -> int:
    """The exit code of a command that runs as root in the container whose `run` is the process `pid`."""
    names = ("user", "pid_for_children", "ipc", "uts", "mnt")
    places = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in names]
    for place in places:
        _checked(_libc.setns(place, 0), "setns")
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            with contextlib.suppress(OSError):  # where the standard input is no terminal
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            _libc.prctl(_PDEATHSIG, signal.SIGKILL)
            _execute(spec)
        except FileNotFoundError:
            sys.stderr.write(f'exec: "{spec["command"][0]}": executable file not found in $PATH\r\n')
        except BaseException as error:
            sys.stderr.write(f"{error}\r\n")
        sys.stderr.flush()
        os._exit(_NOT_FOUND)
    signal.signal(signal.SIGHUP, lambda *_: os.kill(child, signal.SIGHUP))
    return _code(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    os._exit((run if sys.argv[1] == "run" else enter)(int(sys.argv[2]), given))
