"""`omero-aws changes`: change a deployed workspace, setting by setting, on an AWS on this machine.

Each chain of `scripts.rehearsal.matrix` is deployed and changed step by step, each step over the one before, as a
person would: the checks before a deployment, then Terraform's plans and their applies in the order of `deploy`. A step
fails unless one server writes throughout (no plan replaces a server or gives it a second task), every service is steady
and well with its own task definition afterwards, the balancers find their targets well, and the next plans are empty.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from local_aws.files import VARIABLE as FILES_VARIABLE
from local_aws.server import LocalAws, NotStarted
from scripts import console
from scripts.deploy import backend, left_over, order, preflight, toolchain
from scripts.errors import Failed, Refused
from scripts.options import JsonOption
from scripts.output import write_json
from scripts.process import read
from scripts.rehearsal import existing, one_writer, well
from scripts.rehearsal.matrix import CHAINS, Chain, Document
from scripts.rehearsal.run import FOLDER as REHEARSALS
from scripts.rehearsal.run import Rehearsal, empty, environ_of, look_there_alone
from settings import Workspace, load
from settings.load import FOLDER_VARIABLE, ROOT

FOLDER = REHEARSALS / "changes"
FIRST = "first"
"""The deployment that the first step changes."""

app = typer.Typer(add_completion=False)


@dataclass
class Walk:
    """A chain on its way: `run` is its rehearsal, `out` what is deployed, `seconds` how long each step took."""

    chain: Chain
    run: Rehearsal
    out: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def take(self, name: str, document: Document) -> None:
        """Deploy `document` over what there is.

        Raises:
            Failed: the step went wrong; the message says how.
            Refused: preflight refuses it.
        """
        begun = time.monotonic()
        folder = self.run.folder / f"{len(self.seconds):02}-{name}"
        folder.mkdir()
        workspace = self._write(folder, document)
        out = self._synthesise(folder)
        preflight.check(workspace.name)
        self._deploy(folder, workspace, out)
        self._destroy_left_over(folder, workspace)
        well.check(self.run.session(), workspace)
        self._plan_again(folder, out)
        self.out = out
        self.seconds[name] = time.monotonic() - begun
        console.say(f"{self.chain.workspace}: {name}: {self.seconds[name]:.0f} s")

    def _write(self, folder: Path, document: Document) -> Workspace:
        text = yaml.safe_dump(document, sort_keys=False)
        (folder / f"{self.chain.workspace}.yaml").write_text(text, encoding="utf-8")
        self.run.environ[FOLDER_VARIABLE] = os.environ[FOLDER_VARIABLE] = str(folder)
        return load(self.chain.workspace)

    def _synthesise(self, folder: Path) -> Path:
        out = folder / "cdktf.out"
        code, text = read(
            [sys.executable, "main.py"], environ={**self.run.environ, "CDKTF_OUTDIR": str(out)}, folder=ROOT
        )
        if code:
            raise Failed(f"{folder.name} cannot be synthesised: {text}")
        return out

    def _deploy(self, folder: Path, workspace: Workspace, out: Path) -> None:
        """Apply what differs, and what builds on it."""
        stacks = order.stacks(out)
        deployed = order.deployed_outputs(backend.states(backend.state_backend(workspace)))
        first = order.users_first(out, deployed)
        for name in first:
            self._apply(folder, out / "stacks" / name, label=f"{name}-first")
        changed = {name for name in stacks if name in first or self._differs(out, name)}
        waiting = {
            name: needs for name, needs in stacks.items() if name in changed or changed & _all_needs(stacks, name)
        }
        with ThreadPoolExecutor(max_workers=2) as pool:
            while waiting:
                ready = [name for name, needs in waiting.items() if not set(needs) & set(waiting)]
                list(pool.map(lambda name: self._apply(folder, out / "stacks" / name), ready))
                waiting = {name: needs for name, needs in waiting.items() if name not in ready}

    def _destroy_left_over(self, folder: Path, workspace: Workspace) -> None:
        """Destroy the stacks of sections that the step took out, as `omero-aws destroy` does."""
        for name in left_over.matching(backend.state_backend(workspace), ["*"]):
            stack = folder / "left-over" / name
            stack.mkdir(parents=True)
            text = json.dumps(left_over.configuration(workspace, name))
            (stack / "main.tf.json").write_text(text, encoding="utf-8")
            self._apply(folder, stack, destroy=True)

    def _differs(self, out: Path, stack: str) -> bool:
        """Whether a stack is not what is deployed, apart from cdktf's own remarks."""
        before = self.out / "stacks" / stack / "cdk.tf.json" if self.out else None
        if before is None or not before.exists():
            return True
        return bool(_without_remarks(before) != _without_remarks(out / "stacks" / stack / "cdk.tf.json"))

    def _initialise(self, folder: Path, stack: Path) -> None:
        """Give a stack the provider and the backend: both are the same at every step."""
        kept = self.run.folder / "terraform" / stack.name
        if (stack / ".terraform").exists():
            return
        if not kept.exists():
            self._terraform(folder, stack, f"init-{stack.name}", "init", "-input=false", "-no-color")
            kept.mkdir(parents=True)
            for name in (".terraform", ".terraform.lock.hcl"):
                shutil.move(stack / name, kept / name)
        for name in (".terraform", ".terraform.lock.hcl"):
            (stack / name).symlink_to(kept / name)

    def _apply(self, folder: Path, stack: Path, *, destroy: bool = False, label: str = "") -> None:
        """Plan a stack, check that one server writes throughout, and apply the plan."""
        label = label or (f"{stack.name}-destroy" if destroy else stack.name)
        self._initialise(folder, stack)
        what = ["-destroy"] if destroy else []
        self._terraform(folder, stack, f"plan-{label}", "plan", *what, "-no-color", "-out=step.tfplan")
        _, text = read(["terraform", "show", "-json", "step.tfplan"], environ=self.run.environ, folder=stack)
        if faults := list(one_writer.overlaps(json.loads(text))):
            raise Failed(f"{folder.name}, stack {stack.name}: {'; '.join(faults)}.")
        self._terraform(folder, stack, f"apply-{label}", "apply", "-no-color", "step.tfplan")

    def _plan_again(self, folder: Path, out: Path) -> None:
        """Plan every stack; what would change is a fault."""

        def plan(name: str) -> int:
            stack = out / "stacks" / name
            self._initialise(folder, stack)
            return self._terraform(folder, stack, f"again-{name}", "plan", "-no-color", "-detailed-exitcode", bad=(1,))

        with ThreadPoolExecutor(max_workers=2) as pool:
            stacks = order.stacks(out)
            changed = [name for name, code in zip(stacks, pool.map(plan, stacks), strict=True) if code]
        if changed:
            logs = ", ".join(str((folder / f"again-{name}.log").relative_to(ROOT)) for name in changed)
            raise Failed(f"{folder.name}: the next plan of {' and '.join(changed)} is not empty; see {logs}.")

    def _terraform(self, folder: Path, stack: Path, label: str, *words: str, bad: tuple[int, ...] = (1, 2)) -> int:
        code, text = read(["terraform", *words], environ=self.run.environ, folder=stack)
        log = folder / f"{label}.log"
        log.write_text(text, encoding="utf-8")
        if code in bad:
            raise Failed(
                f"{folder.name}: terraform {words[0]} of the stack {stack.name} failed; see {log.relative_to(ROOT)}."
            )
        return code


def _all_needs(stacks: Mapping[str, list[str]], name: str) -> set[str]:
    """The stacks that one builds on, directly or not."""
    return {each for need in stacks[name] for each in (need, *_all_needs(stacks, need))}


def _without_remarks(path: Path) -> Any:
    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(inner) for key, inner in value.items() if key != "//"}
        return [strip(each) for each in value] if isinstance(value, list) else value

    return strip(json.loads(path.read_text(encoding="utf-8")))


@app.command()
def changes(
    numbers: Annotated[
        list[int] | None, typer.Option("--chain", metavar="N", help="Number of a chain; repeat it for more.")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the chains and their steps, and change nothing.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Chains at a time.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Change a deployed workspace, setting by setting, on an AWS on this machine.

    After each step OMERO must be up again with one writer throughout, and the next plan must be empty. Logs are in
    .rehearsal/changes. With --json: the seconds of each step, by chain.
    """
    known = {chain.number: chain for chain in CHAINS}
    for number in numbers or ():
        if number not in known:
            raise Refused(f"--chain {number} is not a chain; give one of {', '.join(map(str, known))}.")
    wanted = [known[number] for number in dict.fromkeys(numbers or known)]
    if listed:
        _list(wanted, as_json=as_json)
        return
    toolchain.require()
    found = {wanted[0].number: _walk(wanted[0])} if len(wanted) == 1 else _side_by_side(wanted, jobs)
    rows = [(str(number), step, f"{seconds:.0f}") for number, steps in found.items() for step, seconds in steps.items()]
    console.table(("chain", "step", "seconds"), rows)
    if as_json:
        write_json({"seconds": found})


def _list(chains: list[Chain], *, as_json: bool) -> None:
    steps = {chain.number: [step.name for step in chain.steps()] for chain in chains}
    if as_json:
        write_json({"chains": steps})
        return
    for chain in chains:
        console.say(f"chain {chain.number}: {chain.about}")
        console.say(f"  {', '.join(steps[chain.number])}")


def _side_by_side(chains: list[Chain], jobs: int) -> dict[int, dict[str, float]]:
    """Each chain in a process of its own, for each has an AWS of its own in its environment."""
    FOLDER.mkdir(parents=True, exist_ok=True)

    def run(chain: Chain) -> tuple[int, dict[str, float]]:
        words = [sys.executable, "-m", "scripts.main", "changes", "--chain", str(chain.number), "--json"]
        with (FOLDER / f"{chain.number}.log").open("w", encoding="utf-8") as log:
            done = subprocess.run(
                words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, check=False
            )
        console.say(f"chain {chain.number}: {'failed' if done.returncode else 'passed'}")
        return done.returncode, {} if done.returncode else json.loads(done.stdout)["seconds"][str(chain.number)]

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        done = dict(zip((chain.number for chain in chains), pool.map(run, chains), strict=True))
    if failed := [number for number, (code, _) in done.items() if code]:
        logs = ", ".join(str((FOLDER / f"{number}.log").relative_to(ROOT)) for number in failed)
        raise Failed(f"{len(failed)} of {len(done)} chains failed: {', '.join(map(str, failed))}; see {logs}.")
    return {number: seconds for number, (_, seconds) in done.items()}


def _walk(chain: Chain) -> dict[str, float]:
    """Deploy a chain's first workspace and take its steps; the seconds of each."""
    steps = chain.steps()
    folder = FOLDER / str(chain.number)
    empty(folder)
    fullest = max((chain.settings_of(step.document) for step in steps), key=lambda each: len(each.model_dump_json()))  # type: ignore[union-attr]
    assert fullest is not None  # noqa: S101 - every step is a valid workspace
    aws = LocalAws(
        region=fullest.region,
        log=folder / "aws.log",
        settings={
            "MOTO_ACCOUNT_ID": fullest.account_id,
            FILES_VARIABLE: str(folder / "files"),
            **existing.settings_of(fullest),
        },
    )
    try:
        with aws:
            run = Rehearsal(fullest, folder, folder, environ_of(fullest, aws))
            look_there_alone(aws, run)
            existing.make(run.session(), fullest)
            walk = Walk(chain, run)
            walk._write(folder, chain.first)  # for `state ensure`
            run.ensure_state()
            walk.take(FIRST, chain.first)
            for step in steps:
                walk.take(step.name, step.document)
    except NotStarted as error:
        raise Failed(str(error)) from None
    return walk.seconds
