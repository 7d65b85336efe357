"""Deploy, show and destroy stacks: thin commands over the locked cdktf, each checked before it begins.

What stands after `--` goes to cdktf as it is.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer

from contract import sections
from scripts import console
from scripts.confirming import confirm, on_terminal
from scripts.deploy import backend, left_over, order, preflight, rollouts, runner
from scripts.deploy.passing_on import TakesRest, Wraps
from scripts.errors import Failed, Refused
from scripts.options import DryRunOption, JsonOption, WorkspaceOption, YesOption
from scripts.output import write_json
from settings import load
from settings.load import ROOT

ALL = "*"
IGNORE_MISSING = "--ignore-missing-stack-dependencies"
OUT = ROOT / "cdktf.out"
# How `terraform show -json` tells what a plan does with a resource.
ACTIONS = {
    ("create",): "create",
    ("update",): "update",
    ("delete",): "delete",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
}

app = typer.Typer(add_completion=False)

StacksArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="STACK", help="Names of stacks, such as network; all if left out.", show_default=False),
]

ArgumentsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ARGUMENT", help="Arguments, passed on unchanged.", show_default=False),
]


@app.command("deploy", cls=TakesRest)
def deploy(
    ctx: typer.Context,
    stacks: StacksArgument = None,
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Create or update stacks; all by default.

    cdktf shows the plan of each stack and asks before it changes anything, unless --yes is given. If you name a stack,
    the stacks it builds on must be deployed. If a stack would delete what another one uses, the other one is deployed
    first. --dry-run does what `diff` does. --json prints the outputs.

    The command then waits until every ECS service runs what was deployed and its tasks are healthy, for up to 60
    minutes: a first start, or an upgrade of the database, may take OMERO.server half an hour. If ECS rolls a service
    back, the exit code is 1 and the message has ECS's reason.
    """
    if dry_run:
        _diff(stacks or [], ctx.args, workspace=workspace, as_json=as_json)
        return
    if not yes and not on_terminal():
        raise Refused(
            "deploy asks before it changes a stack, and there is no terminal to answer on; give --yes, or "
            "--dry-run to see what would change."
        )
    argv = ["cdktf", "deploy", *(stacks or [ALL])]
    if stacks and ALL not in stacks and IGNORE_MISSING not in ctx.args:
        argv.append(IGNORE_MISSING)
    approved = ["--auto-approve"] if yes else []
    argv += [*approved, *ctx.args]
    tools = runner.ready(argv, workspace=workspace)
    if not stacks or ALL in stacks:
        _deploy_users_first(tools, approved, ctx.args, workspace=workspace, to_stderr=as_json)
    _cdktf_with_outputs(tools, argv, workspace=workspace, as_json=as_json)


@app.command("diff", cls=TakesRest)
def diff(
    ctx: typer.Context,
    stacks: StacksArgument = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a deployment would change, and change nothing.

    A stack that builds on one that is not deployed yet cannot be planned, and is named instead. With --json: the
    addresses of what each stack would create, update, replace and delete; null for a stack that cannot be planned.
    """
    _diff(stacks or [], ctx.args, workspace=workspace, as_json=as_json)


@app.command("output", cls=TakesRest)
def output(
    ctx: typer.Context,
    stacks: StacksArgument = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the outputs of stacks; all by default."""
    argv = ["cdktf", "output", *(stacks or [ALL]), *ctx.args]
    _cdktf_with_outputs(runner.ready(argv, workspace=workspace), argv, workspace=workspace, as_json=as_json)


@app.command("destroy", cls=TakesRest)
def destroy(
    ctx: typer.Context,
    stacks: StacksArgument = None,
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Destroy stacks and everything in them; all by default.

    You confirm with the workspace's name. With `retain: true`, Terraform refuses to destroy the data, and leaves the
    log groups in AWS. Stacks of sections that the settings no longer have are destroyed too.
    """
    settings = load(workspace)
    what = f"the stacks {', '.join(stacks)}" if stacks else "all stacks"
    warning = f"This destroys {what} of workspace {settings.name}, and everything in them."
    confirm(warning, name=settings.name, skip=yes or dry_run)
    wanted = stacks or [ALL]
    state = backend.state_backend(settings)
    if dry_run:
        preflight.check_destroy(preflight.check(workspace, changes=False), wanted)
        left_over.check(state, left_over.matching(state, wanted))
        gone = sorted(name for name in _deployed(workspace) if any(fnmatchcase(name, each) for each in wanted))
        for name in gone:
            console.say(f"would be done: stack {name} destroyed")
        if not gone:
            console.say(f"nothing to destroy: {what} of workspace {settings.name} have no resources.")
        if as_json:
            write_json({"workspace": settings.name, "dry_run": True, "destroyed": gone})
        return
    argv = ["cdktf", "destroy", *wanted, "--auto-approve", *ctx.args]
    tools = runner.ready(argv, workspace=workspace)
    before = backend.deployed_stacks(state)
    left = left_over.matching(state, wanted)
    left_over.check(state, left)
    for stack in left:
        left_over.destroy(tools, state, stack, to_stderr=as_json)
    if not left or any(fnmatchcase(name, each) for name in sections.stacks(settings) for each in wanted):
        if not as_json:
            os.chdir(ROOT)
            tools.become(argv)
            return
        _checked(tools.run(argv, folder=ROOT, to_stderr=True), "cdktf destroy")
    if as_json:
        gone = sorted(before - backend.deployed_stacks(state))
        write_json({"workspace": settings.name, "dry_run": False, "destroyed": gone})


@app.command("cdktf", cls=Wraps)
def cdktf(
    arguments: ArgumentsArgument = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run the locked cdktf with any arguments.

    `omero-aws cdktf deploy --help` is cdktf's own help. Runs the same checks as `deploy` first; exit codes and prompts
    are cdktf's own. A command that deploys OMERO's services is followed until they are healthy, as with `deploy`.
    """
    argv = ["cdktf", *(arguments or [])]
    _become_or_follow(runner.ready(argv, workspace=workspace), argv, workspace=workspace)


@app.command("terraform", cls=Wraps)
def terraform(
    arguments: ArgumentsArgument = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run Terraform with any arguments.

    `omero-aws terraform plan -help` is Terraform's own help. Runs the same checks as `deploy` first; exit codes and
    prompts are Terraform's own. A command that deploys OMERO's services is followed until they are healthy, as with
    `deploy`.
    """
    argv = ["terraform", *(arguments or [])]
    _become_or_follow(runner.ready(argv, workspace=workspace), argv, workspace=workspace)


def _become_or_follow(tools: runner.Tools, argv: Sequence[str], *, workspace: str | None) -> None:
    """Become the tool; or, where it deploys services, run it and wait for them."""
    if rollouts.concern(argv):
        rollouts.follow(tools, argv, workspace=workspace, folder=Path.cwd(), to_stderr=False)
    else:
        tools.become(argv)


def _cdktf_with_outputs(tools: runner.Tools, argv: Sequence[str], *, workspace: str | None, as_json: bool) -> None:
    """Run cdktf on every stack that is named; for JSON, print the outputs that it writes."""
    if not as_json:
        os.chdir(ROOT)
        _become_or_follow(tools, argv, workspace=workspace)
        return
    with tempfile.TemporaryDirectory(prefix="omero-aws-") as folder:
        file = Path(folder) / "outputs.json"
        words = [*argv, "--outputs-file", str(file)]
        if rollouts.concern(argv):
            rollouts.follow(tools, words, workspace=workspace, folder=ROOT, to_stderr=True)
        else:
            _checked(tools.run(words, folder=ROOT, to_stderr=True), " ".join(argv[:2]))
        write_json(json.loads(file.read_text(encoding="utf-8")) if file.exists() else {})


def _deploy_users_first(
    tools: runner.Tools, approved: Sequence[str], rest: Sequence[str], *, workspace: str | None, to_stderr: bool
) -> None:
    """Deploy the stacks that have to let go of something before it is deleted (`scripts.deploy.order`)."""
    deployed = _deployed_outputs(workspace)
    if not deployed:
        return
    out = _out(rest)
    _checked(tools.run(["cdktf", "synth", "--output", str(out)], folder=ROOT, to_stderr=True), "cdktf synth")
    if first := order.users_first(out, deployed):
        console.say(f"deployed first, because they use what others are about to delete: {', '.join(first)}")
        argv = ["cdktf", "deploy", *first, "--skip-synth", IGNORE_MISSING, *approved, *rest]
        _checked(tools.run(argv, folder=ROOT, to_stderr=to_stderr), f"cdktf deploy {' '.join(first)}")


def _diff(stacks: Sequence[str], rest: Sequence[str], *, workspace: str | None, as_json: bool) -> None:
    """Plan each of the stacks, one after the other: cdktf takes one at a time."""
    one = ["cdktf", "diff", *stacks, *rest]
    tools = runner.ready(one, workspace=workspace)
    if len(stacks) == 1 and ALL not in stacks[0] and not as_json:
        os.chdir(ROOT)
        tools.become(one)
        return
    out = _out(rest)
    _checked(tools.run(["cdktf", "synth", "--output", str(out)], folder=ROOT, to_stderr=True), "cdktf synth")
    deployed = _deployed(workspace)
    plans: dict[str, Any] = {}
    for name, needs in _selected(out, stacks):
        if missing := [each for each in needs if each not in deployed]:
            console.say(f"stack {name}: cannot be planned before {' and '.join(missing)}")
            plans[name] = None
            continue
        console.say(f"stack {name}:")
        code = tools.run(["cdktf", "diff", name, "--skip-synth", *rest], folder=ROOT, to_stderr=as_json)
        _checked(code, f"cdktf diff {name}")
        if as_json:
            plans[name] = dict(_changes(tools, out / "stacks" / name))
    if as_json:
        write_json({"workspace": load(workspace).name, "stacks": plans})


def _out(rest: Sequence[str]) -> Path:
    """Where the stacks are synthesised: cdktf.out, unless cdktf is told otherwise."""
    words = [part for word in rest for part in word.split("=", 1)]
    return next((ROOT / value for name, value in pairwise(words) if name in ("-o", "--output")), OUT)


def _selected(out: Path, patterns: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(stack, the stacks that it builds on) of what was synthesised last, those without needs first.

    Raises:
        Refused: a pattern is none of them.
    """
    found = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["stacks"]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in found):
            raise Refused(f"the workspace has no stack {pattern}; give one of {', '.join(found)}.")
    for name, needs in order.stacks(out).items():
        if not patterns or any(fnmatchcase(name, each) for each in patterns):
            yield name, needs


def _changes(tools: runner.Tools, stack: Path) -> Iterator[tuple[str, list[str]]]:
    """What the plan that cdktf has left in a stack's folder would do, by the kind of change."""
    text = tools.read(["terraform", "show", "-json", "plan"], folder=stack)
    rows = [(row["address"], tuple(row["change"]["actions"])) for row in json.loads(text).get("resource_changes", [])]
    for kind in ("create", "update", "replace", "delete"):
        yield kind, [address for address, actions in rows if ACTIONS.get(actions) == kind]


def _deployed(workspace: str | None) -> frozenset[str]:
    return backend.deployed_stacks(backend.state_backend(load(workspace)))


def _deployed_outputs(workspace: str | None) -> order.Outputs:
    return order.deployed_outputs(backend.states(backend.state_backend(load(workspace))))


def _checked(code: int, what: str) -> None:
    if code:
        raise Failed(f"{what} ended with exit code {code}; the reason is above.")
