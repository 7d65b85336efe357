"""Rehearse a workspace: deploy it to an AWS on this machine, plan again, look for secrets, destroy it.

It does what a person does against real AWS, with the same stacks and the same commands: `state ensure`,
`cdktf deploy '*'`, `terraform plan` of every stack, `cdktf destroy '*'`. It fails unless the second plan
finds nothing to change, no generated password can be read in state, plans, logs or synthesised files,
and everything that should go is gone.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
import yaml
from rich.table import Table

from local_aws.server import LocalAws, NotStarted
from scripts import console, inventory, leaks, toolchain
from scripts.errors import Failed
from scripts.process import Progress, read, stream
from settings import Workspace, load, selected
from settings.access import Tls
from settings.load import FOLDER_VARIABLE, ROOT, VARIABLE, find

FOLDER = ROOT / ".rehearsal"
# Read by the local AWS (local_aws/services/route53.py).
HOSTED_ZONE_IDS = "LOCAL_AWS_HOSTED_ZONE_IDS"

app = typer.Typer(add_completion=False, epilog=console.EPILOG)


@dataclass
class Rehearsal:
    """One run. `seconds` has the length of each step so far, in order; `resources` and `outputs` are by stack."""

    workspace: Workspace
    folder: Path
    environ: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        """Where this rehearsal's stacks are synthesised, apart from the user's own `cdktf.out`."""
        return self.folder / "cdktf.out"

    def stacks(self) -> Iterator[Path]:
        """The folders of the synthesised stacks."""
        return (path.parent for path in sorted(self.out.glob("stacks/*/cdk.tf.json")))

    def session(self) -> boto3.Session:
        """boto3 pointed at the local AWS. `AWS_ENDPOINT_URL` is read from this process's environment."""
        return boto3.Session(
            aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
            region_name=self.workspace.region,
        )

    @contextmanager
    def step(self, name: str) -> Iterator[Progress]:
        """Time a step and show that it works."""
        begun = time.monotonic()
        with Progress(console.err, name) as progress:
            yield progress
        self.seconds[name] = time.monotonic() - begun

    def ensure_state(self) -> None:
        """Make the state bucket and the lock table, as a person would."""
        self._run("state ensure", "state", "scripts.state", "ensure")

    def cdktf(self, command: str) -> None:
        """Run `cdktf deploy` or `destroy` for every stack, as a person would."""
        words = (command, "*", "--auto-approve", "--output", str(self.out))
        self._run(f"cdktf {command} '*'", command, "scripts.run", "cdktf", *words)

    def _run(self, step: str, log: str, module: str, *words: str) -> None:
        with self.step(step) as progress:
            stream(
                [sys.executable, "-m", module, *words],
                environ=self.environ,
                log=self.folder / f"{log}.log",
                progress=progress,
            )


@app.command()
def rehearse(
    workspace: Annotated[str | None, typer.Argument(help="The workspace; TF_WORKSPACE or demo if left out.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave it up and print how to use it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print figures and outputs as JSON on stdout.")] = False,
) -> None:
    """Deploy a workspace to an AWS on this machine, prove it, and take it away."""
    settings = load(workspace or selected())
    toolchain.require()
    for tool, version, where in toolchain.describe():
        console.say(f"{tool} {version}: {where}")
    folder = FOLDER / settings.name
    empty(folder)
    aws = LocalAws(
        region=settings.region,
        log=folder / "aws.log",
        settings={"MOTO_ACCOUNT_ID": settings.account_id, **_hosted_zone_ids(settings)},
        detached=keep,
    )
    try:
        with aws:
            environ = environ_of(settings, aws)
            if settings.retain and not keep:
                environ[FOLDER_VARIABLE] = str(_let_go(settings, folder))
            run = Rehearsal(settings, folder, environ)
            # This process looks around there too, and nowhere else: no profile of the user's is asked.
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                del os.environ[name]
            os.environ.update(aws.environ())
            _rehearse(run, keep=keep)
    except NotStarted as error:
        raise Failed(str(error)) from None
    if keep:
        _say_how_to_use(run, aws)
    if as_json:
        json.dump({"seconds": run.seconds, "resources": run.resources, "outputs": run.outputs}, sys.stdout, indent=2)


def _hosted_zone_ids(workspace: Workspace) -> dict[str, str]:
    """Let the local AWS give the hosted zone of the workspace the id that it has in the real one."""
    tls = workspace.tls
    return {HOSTED_ZONE_IDS: f"{_zone_name(tls)}={tls.hosted_zone_id}"} if tls else {}


def _zone_name(tls: Tls) -> str:
    """The zone that a name is most likely in: all but its first label, unless that leaves one label only."""
    _, _, parent = tls.domain_name.partition(".")
    return parent if "." in parent else tls.domain_name


def _rehearse(run: Rehearsal, *, keep: bool) -> None:
    if run.workspace.tls:
        # In the real AWS it is there before we come.
        run.session().client("route53").create_hosted_zone(Name=_zone_name(run.workspace.tls), CallerReference="1")
    if run.workspace.datasync and run.workspace.datasync.bucket:
        _make_landing_bucket(run.session(), run.workspace, run.workspace.datasync.bucket)
    run.ensure_state()
    before = inventory.take(run.session())
    run.cdktf("deploy")
    with run.step("plan again"):
        _plan_again(run)
    with run.step("look for secrets"):
        _look_for_secrets(run)
    if not keep:
        run.cdktf("destroy")
        with run.step("look for what is left"):
            _look_for_what_is_left(before, inventory.take(run.session()))
    _show(run, keep=keep)


def _make_landing_bucket(session: boto3.Session, workspace: Workspace, name: str) -> None:
    """The bucket of DataSync that the workspace says is there already, as it has to be."""
    s3 = session.client("s3")
    where: Any = {"CreateBucketConfiguration": {"LocationConstraint": workspace.region}}
    s3.create_bucket(Bucket=name, **({} if workspace.region == "us-east-1" else where))
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}, SkipDestinationValidation=True
    )


def environ_of(workspace: Workspace, aws: LocalAws) -> dict[str, str]:
    """The child processes' environment: the local AWS, and nothing of the user's own AWS."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # CI makes cdktf print lines instead of redrawing a terminal.
    return toolchain.environment(ROOT, {**own, **aws.environ(), VARIABLE: workspace.name, "CI": "1"})


def _let_go(workspace: Workspace, folder: Path) -> Path:
    """A folder with a copy of the workspace that says `retain: false`; its own file is left alone."""
    copies = folder / "workspaces"
    copies.mkdir()
    values = yaml.safe_load(find(workspace.name).read_text(encoding="utf-8"))
    text = yaml.safe_dump({**values, "retain": False})
    (copies / f"{workspace.name}.yaml").write_text(text, encoding="utf-8")
    return copies


def empty(folder: Path) -> None:
    """Begin with an empty folder; a rehearsal that was killed leaves its own behind."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _plan_again(run: Rehearsal) -> None:
    """Plan every stack.

    Raises:
        Failed: a plan would change something, or did not work; the plan is in the stack's log.
    """
    stacks = list(run.stacks())
    with ThreadPoolExecutor(max_workers=2) as pool:
        for stack, fault in zip(stacks, pool.map(lambda stack: _plan(run, stack), stacks), strict=True):
            if fault:
                raise Failed(f"the second plan of the stack {stack.name} {fault}")


def _plan(run: Rehearsal, stack: Path) -> str | None:
    terraform: Callable[..., tuple[int, str]] = lambda *words: read(  # noqa: E731
        ["terraform", *words], environ=run.environ, folder=stack
    )
    log = run.folder / f"plan-{stack.name}.log"
    code, text = terraform("plan", "-detailed-exitcode", "-no-color", "-out=again.tfplan")
    log.write_text(text, encoding="utf-8")
    if code == 2:
        return f"finds something to change; see {log.relative_to(ROOT)}."
    if code:
        return f"failed with exit code {code}; see {log.relative_to(ROOT)}."
    _, plan = terraform("show", "-json", "again.tfplan")
    (run.folder / f"plan-{stack.name}.json").write_text(plan, encoding="utf-8")
    _, outputs = terraform("output", "-json")
    run.outputs[stack.name] = {
        name: output["value"]
        for name, output in json.loads(outputs).items()
        if not name.startswith("cross-stack-output-")
    }
    _, resources = terraform("state", "list")
    run.resources[stack.name] = sum(not line.startswith("data.") for line in resources.splitlines())
    return None


def _look_for_secrets(run: Rehearsal) -> None:
    session = run.session()
    values = leaks.secret_values(session)
    if not values:
        raise Failed("no secret was generated, so the search for leaks proves nothing.")
    places = [*leaks.in_files(run.folder, values), *leaks.in_bucket(session, run.workspace.state_bucket, values)]
    if places:
        raise Failed(f"generated secrets can be read in {', '.join(sorted(places))}.")


def _look_for_what_is_left(before: frozenset[tuple[str, str]], after: frozenset[tuple[str, str]]) -> None:
    left = sorted(after - before)
    if left:
        raise Failed(f"destroy left {', '.join(f'{kind} {id_}' for kind, id_ in left)}.")


def _show(run: Rehearsal, *, keep: bool) -> None:
    for stack, outputs in run.outputs.items():
        table = Table(title=f"{stack}: {run.resources[stack]} resources", title_justify="left")
        table.add_column("output")
        table.add_column("value", overflow="fold")
        for name, value in outputs.items():
            table.add_row(name, str(value))
        console.err.print(table)
    table = Table("step", "seconds")
    for name, seconds in run.seconds.items():
        table.add_row(name, f"{seconds:.1f}")
    table.add_row("all", f"{sum(run.seconds.values()):.1f}")
    console.err.print(table)
    console.say("The second plan found nothing to change. No generated secret can be read anywhere.")
    if keep:
        return
    console.say("Nothing that should go was left.")
    if run.workspace.retain:
        console.say("The workspace says retain: true. It was rehearsed with false, so that it could be destroyed.")


def _say_how_to_use(run: Rehearsal, aws: LocalAws) -> None:
    console.say(f"Left up, with its stacks in {run.out.relative_to(ROOT)}. To use it:")
    sys.stdout.writelines(
        f"export {name}={value}\n" for name, value in {**aws.environ(), VARIABLE: run.workspace.name}.items()
    )
    console.say(f"To take it away with all that is in it: kill {aws.pid}")


if __name__ == "__main__":
    console.run(app)
