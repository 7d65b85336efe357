"""`omero-aws rehearse`: deploy a workspace to an AWS on this machine, plan again, look for secrets, destroy it.

It does what a person does against real AWS, with the same stacks and the same commands: `state ensure`, `deploy`,
`terraform plan` of every stack, `destroy`. It fails unless the second plan finds nothing to change, an update of the
server keeps one writer, slides below /OMERO are imported, each once, an object in DataSync's bucket becomes a file, no
generated password can be read in state, plans, logs or synthesised files, no role and no operator lacks a right, and
everything that should go is gone. Then the stacks are deployed again and destroyed again, because AWS keeps some names
and takes others back. Rights that nobody used are listed.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from contract import names
from contract import operators as documented
from contract.outputs import Data, Network
from local_aws import stand_ins as programs
from local_aws.files import VARIABLE as FILES_VARIABLE
from local_aws.server import LocalAws, NotStarted
from scripts import console
from scripts.deploy import toolchain
from scripts.deploy.commands import ALL
from scripts.errors import Failed, Refused
from scripts.options import JsonOption, WorkspaceOption
from scripts.output import write_json
from scripts.process import read
from scripts.rehearsal import arrivals, bad_image, existing, inventory, leaks, one_writer, operators, rights, section
from scripts.rehearsal import imports as rehearse_imports
from scripts.rehearsal.deliveries import FEW
from scripts.rehearsal.run import FOLDER, Rehearsal, empty, environ_of, look_there_alone
from scripts.rehearsal.stand_ins import IMAGES
from settings import load, selected
from settings.load import FOLDER_VARIABLE, ROOT, VARIABLE, find


class Again(StrEnum):
    """What is deployed again after it was destroyed."""

    ALL = "all"
    DATA = "data"
    NOTHING = "nothing"


# RDS writes its log groups again, and deleted secrets keep their names. `data` needs `network`.
STACKS_AGAIN = {Again.ALL: (ALL,), Again.DATA: (Network.stack, Data.stack), Again.NOTHING: ()}

app = typer.Typer(add_completion=False)


@app.command()
def rehearse(
    named: Annotated[
        str | None, typer.Argument(metavar="WORKSPACE", help="The same as --workspace.", show_default=False)
    ] = None,
    workspace: WorkspaceOption = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the deployment running, and print how to use it.")] = False,
    with_bad_image: Annotated[
        bool, typer.Option("--bad-image", help="Also deploy an image that cannot be pulled, which has to fail.")
    ] = False,
    again: Annotated[
        Again,
        typer.Option(help="What to deploy again after destroy: everything, the network and the data, or nothing."),
    ] = Again.ALL,
    deliveries: Annotated[
        int,
        typer.Option(min=FEW, help="Filesets that arrive by each way in; with more, things go wrong as well."),
    ] = FEW,
    as_json: JsonOption = False,
) -> None:
    """Deploy a workspace to an AWS on this machine, prove it, and destroy it.

    Then deploy and destroy it again, because AWS keeps some names and takes others back, such as those of log groups.
    """
    if named and workspace and named != workspace:
        raise Refused(f"{named} and --workspace {workspace} differ; give one.")
    settings = load(named or workspace or selected())
    toolchain.require()
    for tool, version, where in toolchain.describe():
        console.say(f"{tool} {version}: {where}")
    folder = FOLDER / settings.name
    empty(folder)
    runs_programs = programs.can_run()
    if not runs_programs:
        console.say("note: this machine has no user namespaces for containers, so imports are not rehearsed.")
    aws = LocalAws(
        region=settings.region,
        log=folder / "aws.log",
        settings={
            "MOTO_ACCOUNT_ID": settings.account_id,
            FILES_VARIABLE: str(folder / "files"),
            **({programs.VARIABLE: str(IMAGES)} if runs_programs else {}),
            # What AWS raises by itself must be no difference.
            "LOCAL_AWS_MINOR_UPGRADE_SECONDS": "1",
            **existing.settings_of(settings),
        },
        detached=keep,
    )
    try:
        with aws:
            environ, source = environ_of(settings, aws), find(settings.name)
            if settings.retain and not keep:
                source = _copy(source, folder / "workspaces", {"retain": False}) / source.name
                environ[FOLDER_VARIABLE] = str(source.parent)
            run = Rehearsal(settings, source, folder, environ, runs_programs, deliveries)
            look_there_alone(aws, run)
            _rehearse(run, keep=keep, with_bad_image=with_bad_image, again=STACKS_AGAIN[again])
    except NotStarted as error:
        raise Failed(str(error)) from None
    if keep:
        _say_how_to_use(run, aws)
    if as_json:
        report = {"seconds": run.seconds, "resources": run.resources, "outputs": run.outputs}
        write_json({**report, "unused_rights": run.unused})


def _rehearse(run: Rehearsal, *, keep: bool, with_bad_image: bool, again: Sequence[str]) -> None:
    existing.make(run.session(), run.workspace)
    run.ensure_state()
    before = inventory.take(run.session())
    run.cdktf("deploy")
    _take_steps(run, "deployed")
    with run.step("plan again"):
        _plan_again(run)
    are_imported = run.workspace.arrivals is not None and run.runs_programs
    if are_imported:
        with run.step("deliver"):
            arrivals.deliver(run)
    with run.step("plan an update"):
        _plan_an_update(run)
    if with_bad_image:
        with run.step("deploy a bad image"):
            bad_image.rehearse(run, _with_server_image(run, "bad", bad_image.IMAGE))
        run.proved.append("A deployment with an image that cannot be pulled fails with ECS's reason, and is undone.")
    _take_steps(run, "planned")
    if run.runs_programs:
        with (
            run.step("import slides"),
            operators.acting(run, "imports", documented.deployment, documented.imports) as environ,
        ):
            rehearse_imports.import_(environ, run.folder, run.omero)
        with run.step("open a session"):
            operators.open_session(run)
    if are_imported:
        with run.step("wait for images"):
            arrivals.check(run)
    with run.step("look for secrets"):
        _look_for_secrets(run)
    if not keep:
        _take_steps(run, "before_destroy")
        run.cdktf("destroy")
        with run.step("look for leftovers"):
            _look_for_what_is_left(before, inventory.take(run.session()))
        if again:
            _deploy_again(run, again)
            with run.step("look again"):
                _look_for_what_is_left(before, inventory.take(run.session()))
            run.proved.append("The same could be deployed again, and was destroyed again.")
    with run.step("look at rights"):
        usage = rights.take(run.environ)
        rights.check(usage)
        run.unused = rights.unused(usage)
    _show(run, keep=keep)


def _deploy_again(run: Rehearsal, stacks: Sequence[str]) -> None:
    # One at a time: cdktf deploys stacks that are named together at once.
    for stack in stacks:
        run.cdktf("deploy", stack, again=True)
    with run.step("plan once more"):
        _plan_again(run, *stacks)
    for stack in reversed(stacks):
        run.cdktf("destroy", stack, again=True)


def _take_steps(run: Rehearsal, moment: section.Moment) -> None:
    for step in section.steps(run.workspace, moment):
        with run.step(step.name):
            step.run(run)
        run.proved += [step.proved] if step.proved else []


def _copy(source: Path, folder: Path, changes: dict[str, Any]) -> Path:
    """`folder` with a copy of a workspace's file in it that has `changes` at its top."""
    folder.mkdir()
    values = yaml.safe_load(source.read_text(encoding="utf-8"))
    (folder / source.name).write_text(yaml.safe_dump({**values, **changes}), encoding="utf-8")
    return folder


def _with_server_image(run: Rehearsal, folder: str, image: str) -> Path:
    """A folder of workspace files, as `_copy`, that have another image for OMERO.server."""
    omero = yaml.safe_load(run.source.read_text(encoding="utf-8")).get("omero", {})
    server = {**omero.get("server", {}), "image": image}
    return _copy(run.source, run.folder / folder, {"omero": {**omero, "server": server}})


def _plan_again(run: Rehearsal, *stack_names: str) -> None:
    """Plan every stack, or those of these names.

    Raises:
        Failed: a plan would change something, or did not work; the plan is in the stack's log.
    """
    stacks = [stack for stack in run.stacks() if not {*stack_names} - {ALL} or stack.name in stack_names]
    with ThreadPoolExecutor(max_workers=2) as pool:
        for stack, fault in zip(stacks, pool.map(lambda stack: _plan(run, stack), stacks), strict=True):
            if fault:
                raise Failed(f"the second plan of the stack {stack.name} {fault}")


def _plan(run: Rehearsal, stack: Path) -> str | None:
    command = ["terraform", "plan", "-detailed-exitcode", "-no-color", "-out=again.tfplan"]
    log = run.folder / f"plan-{stack.name}.log"
    code, text = read(command, environ=run.environ, folder=stack)
    log.write_text(text, encoding="utf-8")
    if code == 2:
        return f"finds something to change; see {log.relative_to(ROOT)}."
    if code:
        return f"failed with exit code {code}; see {log.relative_to(ROOT)}."
    run.read_state(stack)
    return None


def _plan_an_update(run: Rehearsal) -> None:
    """Plan another image for the servers, beside the stacks that are deployed.

    Raises:
        Failed: it could not be planned, or there could be two writers for a moment.
    """
    copies = _with_server_image(run, "update", "openmicroscopy/omero-server:9.9.9-rehearsal")
    out = copies / "cdktf.out"
    environ = {**run.environ, FOLDER_VARIABLE: str(copies), "CDKTF_OUTDIR": str(out)}
    log = run.folder / "plan-update.log"
    code, text = read([sys.executable, "main.py"], environ=environ, folder=ROOT)
    folder, deployed = out / "stacks" / "omero", run.out / "stacks" / "omero"
    if code == 0:
        for name in (".terraform", ".terraform.lock.hcl"):
            (folder / name).symlink_to(deployed / name)
        code, text = read(
            ["terraform", "plan", "-no-color", "-input=false", "-out=update.tfplan"], environ=environ, folder=folder
        )
    log.write_text(text, encoding="utf-8")
    if code:
        raise Failed(f"an update of the server's image cannot be planned; see {log.relative_to(ROOT)}.")
    _, plan = read(["terraform", "show", "-json", "update.tfplan"], environ=environ, folder=folder)
    (run.folder / "plan-update.json").write_text(plan, encoding="utf-8")
    if faults := list(one_writer.faults(json.loads(plan))):
        raise Failed(f"an update of the server's image could have two writers: {'; '.join(faults)}.")


def _look_for_secrets(run: Rehearsal) -> None:
    session = run.session()
    values = leaks.secret_values(session)
    if not values:
        raise Failed("no secret was generated, so the search for leaks proves nothing.")
    places = [*leaks.in_files(run.folder, values), *leaks.in_bucket(session, names.state_bucket(run.workspace), values)]
    if places:
        raise Failed(f"generated secrets can be read in {', '.join(sorted(places))}.")


def _look_for_what_is_left(before: frozenset[tuple[str, str]], after: frozenset[tuple[str, str]]) -> None:
    left = sorted(thing for thing in after - before if not inventory.is_written_again(*thing))
    if left:
        raise Failed(f"destroy left {', '.join(f'{kind} {id_}' for kind, id_ in left)}.")


def _show(run: Rehearsal, *, keep: bool) -> None:
    for stack, outputs in run.outputs.items():
        console.table(("output", "value"), outputs.items(), title=f"{stack}: {run.resources[stack]} resources")
    seconds = {**run.seconds, "all": sum(run.seconds.values())}
    console.table(("step", "seconds"), ((name, f"{took:.1f}") for name, took in seconds.items()))
    console.say("The second plan found nothing to change. No generated secret can be read anywhere.")
    console.say("An update of the server's image keeps one writer at all times.")
    if run.runs_programs:
        console.say("Slides with awkward names were imported, each once, and verified.")
    console.say("No call of a task, a function, a host or an operator was refused.")
    for proved in run.proved:
        console.say(proved)
    if run.unused:
        rows = [(role, ", ".join(actions)) for role, actions in run.unused.items()]
        console.table(("role", "rights that no call used"), rows)
    if keep:
        return
    console.say("Nothing was left behind that should have been deleted.")
    if run.workspace.retain:
        console.say("The workspace has retain: true. The rehearsal set retain: false to be able to destroy it.")


def _say_how_to_use(run: Rehearsal, aws: LocalAws) -> None:
    console.say(f"Still running, with its stacks in {run.out.relative_to(ROOT)}. To use it:")
    sys.stdout.writelines(exports({**aws.environ(), VARIABLE: run.workspace.name}))
    # Its KMS client has no endpoint of ours (session-manager-plugin, kmsservice.go, NewKMSService).
    console.say("`omero-aws exec` opens no sessions there: AWS's plugin asks KMS at AWS's own address for their key.")
    console.say(f"To remove it with everything in it: kill {aws.pid}")


def exports(variables: Mapping[str, str]) -> Iterator[str]:
    """Lines for a shell that has nothing of this checkout on its PATH yet."""
    yield f'export PATH={shlex.quote(str(ROOT / ".tools" / "bin"))}:"$PATH"\n'
    yield from (f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
