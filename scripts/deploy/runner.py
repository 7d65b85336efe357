"""Run cdktf or Terraform with the tools of this checkout, once the workspace is fit for it.

The arguments are passed on as they are. Before the tool come exit code 2, where set-up or the workspace is not fit,
and 1, where AWS did not answer; what comes after is the tool's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import console
from scripts.deploy import preflight, toolchain
from scripts.errors import Failed
from settings import Workspace
from settings.load import ROOT, VARIABLE

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
# Those that create or change what is in AWS, or plan it: their surroundings have to be fit. Others may be the rescue.
_CHANGES = {"cdktf": {"deploy", "apply", "diff", "plan", "watch"}, "terraform": {"plan", "apply"}}
_TO_DESTROY = {"-destroy", "--destroy"}
_TAKES_SKIP_LOCK = _INSTALLS["cdktf"] - {"watch"}
_SKIP_LOCK = "--skip-provider-lock"
_HELP = {"-h", "-help", "--help", "--version", "-version"}


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The tools of this checkout: the environment that leads to them, and whether a mirror has the provider."""

    env: Mapping[str, str]
    from_mirror: bool

    def become(self, argv: Sequence[str]) -> None:
        """Let the tool `argv[0]` take the place of this process, its exit code and its signals being its own."""
        words = command(argv, from_mirror=self.from_mirror)
        sys.stdout.flush()
        os.execvpe(words[0], words, self.env)  # noqa: S606 - no shell is what is wanted

    def run(self, argv: Sequence[str], *, folder: Path, to_stderr: bool) -> int:
        """Run the tool in `folder` and give its exit code; `to_stderr` keeps stdout for data.

        An interruption is the tool's to answer, and it is waited for: Terraform finishes what it is at, and writes its
        state.
        """
        words = command(argv, from_mirror=self.from_mirror)
        sys.stdout.flush()
        stdout = sys.stderr if to_stderr else None
        running: list[subprocess.Popen[bytes]] = []

        def pass_on(*_: object) -> None:
            for process in running:
                process.terminate()

        before = {
            # A terminal sends Ctrl-C to the tool as well.
            signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
            signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
        }
        try:
            running.append(subprocess.Popen(words, cwd=folder, env=dict(self.env), stdout=stdout))
            code = running[0].wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return code if code >= 0 else 128 - code

    def read(self, argv: Sequence[str], *, folder: Path) -> str:
        """Run the tool in `folder`; what it writes to stdout.

        Raises:
            Failed: it did; its reason is on stderr.
        """
        done = subprocess.run(list(argv), cwd=folder, env=dict(self.env), stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise Failed(f"`{' '.join(argv)}` ended with exit code {done.returncode}; the reason is above.")
        return done.stdout.decode("utf-8", "replace")


def needs_aws(argv: Sequence[str]) -> bool:
    """Whether a command line such as `["cdktf", "deploy", "*"]` reaches AWS."""
    return _subcommand(argv) in _REACHES_AWS[argv[0]] and "-backend=false" not in argv


def asks_for_help(argv: Sequence[str]) -> bool:
    """Whether a command line only shows the tool's help or version."""
    return bool(_HELP & set(argv))


def changes(argv: Sequence[str]) -> bool:
    """Whether a command line creates or changes something in AWS, or plans it."""
    return _subcommand(argv) in _CHANGES[argv[0]] and not _TO_DESTROY & set(argv)


def destroys(argv: Sequence[str]) -> tuple[str, ...]:
    """The stacks that a command line destroys, as the patterns that cdktf takes; none if it destroys nothing."""
    subcommand = _subcommand(argv)
    if subcommand != "destroy" and not _TO_DESTROY & set(argv):
        return ()
    return _stacks_of(argv)


def _stacks_of(argv: Sequence[str]) -> tuple[str, ...]:
    """The stacks that a command line is for, as the patterns that cdktf takes."""
    if argv[0] == "terraform":
        return tuple(folder.name for folder in _stacks_of_terraform(argv))
    after = list(argv)[list(argv).index(_subcommand(argv)) + 1 :]
    return tuple(word for word in after if not word.startswith("-")) or ("*",)


def _stacks_of_terraform(argv: Sequence[str]) -> Iterator[Path]:
    """The folder that Terraform runs in, if it is that of a stack."""
    folder = next((word.partition("=")[2] for word in argv if word.startswith("-chdir=")), ".")
    path = Path(folder).absolute()
    if (path / "cdk.tf.json").is_file():
        yield path


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


def ready(argv: Sequence[str], *, workspace: str | None = None) -> Tools:
    """The tools for the command line `argv`, in `workspace` (by default the selected one), once all is fit for it.

    Raises:
        Refused: set-up is not complete, or the workspace is not fit for what reaches AWS.
    """
    toolchain.require()
    base = {**os.environ, **({VARIABLE: workspace} if workspace else {})}
    env = toolchain.environment(base=base)
    source = toolchain.provider(base)
    if {"--migrate-state", "-migrate-state"} & set(argv) and "TF_INPUT" not in os.environ:
        del env["TF_INPUT"]  # Terraform has to ask whether to copy the state, and cdktf answers for the user
    if needs_aws(argv):
        settings = preflight.check(workspace, changes=changes(argv))
        if going := destroys(argv):
            preflight.check_destroy(settings, going)
        if going or changes(argv):
            _check_kept(argv, settings, env)
    if installs_provider(argv):
        console.say(str(source))
    return Tools(env=env, from_mirror=source.from_mirror)


def _check_kept(argv: Sequence[str], settings: Workspace, env: Mapping[str, str]) -> None:
    """Compare the states with what Terraform has before it, or with what cdktf is going to synthesise.

    Raises:
        Refused: data would be destroyed.
        Failed: the workspace could not be synthesised; the reason is on stderr.
    """
    with tempfile.TemporaryDirectory(prefix="omero-aws-") as folder:
        stacks = Path(folder) / "stacks"
        if argv[0] == "terraform":
            for stack in _stacks_of_terraform(argv):
                shutil.copytree(stack, stacks / stack.name, ignore=shutil.ignore_patterns(".terraform"))
        elif preflight.is_deployed(settings):
            words = [sys.executable, str(ROOT / "main.py")]
            asked = {**env, VARIABLE: settings.name, "CDKTF_OUTDIR": folder}
            done = subprocess.run(words, cwd=ROOT, env=asked, stdout=sys.stderr, check=False)
            if done.returncode:
                raise Failed(f"main.py ended with exit code {done.returncode}; its reason is above.")
        preflight.check_kept(settings, stacks, _stacks_of(argv))


def _subcommand(argv: Sequence[str]) -> str:
    """The first word after the tool that is no option; empty where help or the version is asked for."""
    if asks_for_help(argv):
        return ""
    return next((word for word in argv[1:] if not word.startswith("-")), "")
