"""A rehearsal that runs: its workspace, its AWS on this machine, and what has been found out so far."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from contract.outputs import Data
from local_aws.files import VARIABLE as FILES_VARIABLE
from local_aws.serve import past_proxies
from local_aws.server import LocalAws
from scripts import console
from scripts.deploy import toolchain
from scripts.deploy.commands import ALL, IGNORE_MISSING
from scripts.process import Progress, read, stream
from scripts.rehearsal import section
from scripts.rehearsal.deliveries import FEW
from settings import Workspace
from settings.load import ROOT, VARIABLE

FOLDER = ROOT / ".rehearsal"


@dataclass(frozen=True)
class Delivery:
    """What has come by a way in: the folders of its filesets as OMERO sees them, whose they are and where they belong,
    and when the last byte was there (seconds since 1970)."""

    way: str
    folders: tuple[str, ...]
    owner: str
    dataset: str
    at: float


@dataclass
class Rehearsal:
    """One run. `source` is the workspace's file, or a copy that lets go of the data.

    `runs_programs`: containers of OMERO.server really run, with stand-in programs.
    `seconds` has the length of each step so far, in order; `resources` and `outputs` are by stack.
    `deliveries` is how many filesets come by each way in, where arrivals are imported, and `delivered` what has come.
    `proved` has a sentence for each proof of a section; `unused` the rights that no call used, by role.
    """

    workspace: Workspace
    source: Path
    folder: Path
    environ: dict[str, str]
    runs_programs: bool = False
    deliveries: int = FEW
    delivered: list[Delivery] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    proved: list[str] = field(default_factory=list)
    unused: dict[str, list[str]] = field(default_factory=dict)

    @property
    def files(self) -> Path:
        """Where the local AWS has the folders of its file systems."""
        return self.folder / "files"

    @property
    def omero(self) -> Path:
        """What containers see as /OMERO: the folder of its access point."""
        return self.files / str(self.outputs[Data.stack][Data.file_system_id.key]) / "OMERO"

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
        self._run("state ensure", "state", "state", "ensure")

    def cdktf(self, command: str, stack: str = ALL, *, again: bool = False) -> None:
        """Run `cdktf deploy` or `destroy` for every stack, or for one, as a person would."""
        named = [] if stack == ALL else [stack]
        log = "-".join([command, *named, *(["again"] if again else [])])
        # Those that build on it are destroyed already.
        alone = [IGNORE_MISSING] if named and command == "destroy" else []
        shown = f"cdktf {command} {stack if named else repr(ALL)}{' again' if again else ''}"
        self._run(shown, log, command, *named, "--yes", "--", "--output", str(self.out), *alone)

    def read_state(self, stack: Path) -> None:
        """Have the `outputs` and the number of `resources` of a stack that is deployed."""
        _, text = read(["terraform", "state", "pull"], environ=self.environ, folder=stack)
        state = json.loads(text)
        self.outputs[stack.name] = {
            name: output["value"]
            for name, output in state["outputs"].items()
            if not name.startswith("cross-stack-output-")
        }
        self.resources[stack.name] = sum(
            len(resource["instances"]) for resource in state["resources"] if resource["mode"] == "managed"
        )

    def _run(self, step: str, log: str, *words: str) -> None:
        with self.step(step) as progress:
            stream(
                [sys.executable, "-m", "scripts.main", *words],
                environ=self.environ,
                log=self.folder / f"{log}.log",
                progress=progress,
            )


def look_there_alone(aws: LocalAws, run: Rehearsal) -> None:
    """Have this process look around in that AWS too, and nowhere else: no profile of the user's is asked."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update({**aws.environ(), FILES_VARIABLE: str(run.files)})


def environ_of(workspace: Workspace, aws: LocalAws) -> dict[str, str]:
    """The child processes' environment: the local AWS, and nothing of the user's own AWS."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    for rehearsal in section.of(workspace):
        own.update(rehearsal.environ(workspace, aws.endpoint) if rehearsal.environ else {})
    own.update(past_proxies(own))
    # Terraform and the provider collect garbage for a fifth of their time, which a short run can do without.
    own.update({"GOGC": "400", "GOMEMLIMIT": "1GiB"})
    # CI makes cdktf print lines instead of redrawing a terminal.
    return toolchain.environment(ROOT, {**own, **aws.environ(), VARIABLE: workspace.name, "CI": "1"})


def empty(folder: Path) -> None:
    """Begin with an empty folder; a rehearsal that was killed leaves its own behind."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
