"""Run cdktf or Terraform with the tools of this checkout: `python -m scripts.deploy.runner cdktf deploy '*'`.

This is what `pipenv run cdktf` and `pipenv run terraform` do. The arguments are passed on as they are, and
the tool takes the place of this process: its exit code and its signals are its own. Before that come exit
code 2, where set-up or the workspace is not fit, and 1, where AWS did not answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from scripts import console
from scripts.deploy import preflight, toolchain
from scripts.errors import Refused

TOOLS = ("cdktf", "terraform")

# The subcommands, by tool, that install the provider: what they print first is where it comes from.
_INSTALLS = {
    "cdktf": {"deploy", "apply", "destroy", "diff", "plan", "watch", "output", "outputs"},
    "terraform": {"init", "plan", "apply", "destroy"},
}
# Those that read the state, which is in S3, or more.
_REACHES_AWS = {
    "cdktf": _INSTALLS["cdktf"],
    "terraform": {
        *_INSTALLS["terraform"],
        *("console", "force-unlock", "import", "output", "refresh", "show", "state", "taint", "untaint", "workspace"),
    },
}
_TAKES_SKIP_LOCK = _INSTALLS["cdktf"] - {"watch"}
_SKIP_LOCK = "--skip-provider-lock"
_HELP = {"-h", "-help", "--help", "--version", "-version"}


def needs_aws(argv: Sequence[str]) -> bool:
    """Whether a command line such as `["cdktf", "deploy", "*"]` reaches AWS."""
    return _subcommand(argv) in _REACHES_AWS[argv[0]] and "-backend=false" not in argv


def installs_provider(argv: Sequence[str]) -> bool:
    """Whether it is worth saying where the AWS provider comes from."""
    return _subcommand(argv) in _INSTALLS[argv[0]]


def command(argv: Sequence[str], from_mirror: bool) -> list[str]:
    """The command line to run: with --skip-provider-lock where `from_mirror` and cdktf takes it."""
    subcommand = _subcommand(argv)
    if argv[0] != "cdktf" or subcommand not in _TAKES_SKIP_LOCK or not from_mirror or _SKIP_LOCK in argv:
        return list(argv)
    after = list(argv).index(subcommand) + 1
    return [*argv[:after], _SKIP_LOCK, *argv[after:]]


def main(argv: Sequence[str]) -> None:
    """Become the tool `argv[0]` with the arguments after it; returns only in tests.

    Raises:
        Refused: no such tool, set-up is not complete, or the workspace is not fit for what reaches AWS.
    """
    if not argv or argv[0] not in TOOLS:
        raise Refused(f"tool {argv[0] if argv else '(none)'} is not one of {', '.join(TOOLS)}: name one of them first.")
    toolchain.require()
    env = toolchain.environment()
    source = toolchain.provider(os.environ)
    if {"--migrate-state", "-migrate-state"} & set(argv) and "TF_INPUT" not in os.environ:
        del env["TF_INPUT"]  # Terraform has to ask whether to copy the state, and cdktf answers for the user
    if needs_aws(argv):
        preflight.check()
    if installs_provider(argv):
        console.say(str(source))
    words = command(argv, from_mirror=source.from_mirror)
    sys.stdout.flush()
    os.execvpe(words[0], words, env)  # noqa: S606 - no shell is what is wanted


def _subcommand(argv: Sequence[str]) -> str:
    """The first word after the tool that is no option; empty where help or the version is asked for."""
    if _HELP & set(argv):
        return ""
    return next((word for word in argv[1:] if not word.startswith("-")), "")


if __name__ == "__main__":
    # Not a Typer application, which would take `--` and `--help` for itself, but it ends like one.
    console.run(lambda: main(sys.argv[1:]))
