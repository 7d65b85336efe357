"""Stand-in for su, runuser and setpriv in a container: from root to another user, as far as scripts use them.

In a user namespace with one id there is no other user to become: one goes into that of process 1 if it is this user,
whose processes then see each other as one user's do; else into a further one in which this one is it.
"""

import argparse
import os
import pwd
import sys
from pathlib import Path

sys.path.insert(0, "/run/local-aws/packages")

from local_aws.sandbox import become, join


def main(program: str, arguments: list[str]) -> None:
    if program == "setpriv":
        name, command, login = _setpriv(arguments)
    else:
        name, command, login = _su(program, arguments)
    if os.geteuid() != 0:
        sys.exit(f"{program}: may not be used by non-root users")
    try:
        user = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        sys.exit(f"{program}: user {name} does not exist")
    environment = dict(os.environ)
    if program != "setpriv":
        if login:
            kept = {each: environment[each] for each in ("TERM",) if each in environment}
            environment = {**kept, "PATH": "/usr/local/bin:/usr/bin:/bin"}
            os.chdir(user.pw_dir if Path(user.pw_dir).is_dir() else "/")
        environment |= {"HOME": user.pw_dir, "SHELL": user.pw_shell, "USER": user.pw_name, "LOGNAME": user.pw_name}
        command = command or [user.pw_shell]
    if user.pw_uid != 0 and not join(1, user.pw_uid):
        become(user.pw_uid, user.pw_gid)
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError:
        sys.stderr.write(f"{program}: failed to execute {command[0]}: No such file or directory\n")
        sys.exit(127)


def _su(program: str, arguments: list[str]) -> tuple[str, list[str], bool]:
    """The user, the command ([] for a shell) and whether it is a log-in."""
    if program == "runuser" and any(each.startswith(("-u", "--user")) for each in arguments[:1]):
        first = arguments[0]
        if first in ("-u", "--user"):
            name, rest = arguments[1], arguments[2:]
        else:
            name, rest = first.partition("=")[2] or first[2:], arguments[1:]
        return name, rest[1:] if rest[:1] == ["--"] else rest, False
    login = "-" in arguments
    parser = argparse.ArgumentParser(prog=program, add_help=False)
    parser.add_argument("-l", "--login", action="store_true")
    parser.add_argument("-m", "-p", "--preserve-environment", action="store_true")
    parser.add_argument("-s", "--shell", default="/bin/bash")
    parser.add_argument("-c", "--command")
    parser.add_argument("rest", nargs="*")
    given, more = parser.parse_known_args([each for each in arguments if each != "-"])
    words = [*given.rest, *more]
    name = words[0] if words else "root"
    command = [given.shell, "-c", given.command] if given.command is not None else [given.shell]
    return name, [*command, *words[1:]], login or given.login


def _setpriv(arguments: list[str]) -> tuple[str, list[str], bool]:
    name, index = "0", 0
    while index < len(arguments) and arguments[index].startswith("-"):
        option, equals, value = arguments[index].partition("=")
        index += 1
        if option == "--":
            break
        if not equals and option in (
            "--reuid",
            "--regid",
            "--groups",
            "--inh-caps",
            "--bounding-set",
            "--ambient-caps",
        ):
            value, index = arguments[index], index + 1
        if option == "--reuid":
            name = value
    return name, arguments[index:], False


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
