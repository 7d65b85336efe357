"""Measure how long a person waits: synthesis with and without the light bindings, `cdktf synth`, a plan, imports.

Everything is measured in one run on one machine, so that the ratios mean something. The plan is of
stacks that were just deployed to the local AWS: it finds nothing to change.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from local_aws import stand_ins as programs
from local_aws.files import VARIABLE as FILES_VARIABLE
from local_aws.server import LocalAws
from scripts import console
from scripts.deploy import toolchain
from scripts.errors import Failed
from scripts.measure import bench_imports
from scripts.rehearsal.run import FOLDER, Rehearsal, empty, environ_of
from scripts.rehearsal.stand_ins import IMAGES
from settings import Workspace, load
from settings.load import ROOT, VARIABLE, find

FULL_BINDINGS = "OMERO_FULL_BINDINGS"
# What the process and jsii's Node held at their largest, in KiB, told as it ends (Linux tells a child's).
MEASURED_MAIN = """
import json, os, pathlib, resource, runpy
try:
    runpy.run_path("main.py", run_name="__main__")
except SystemExit as leaving:
    assert not leaving.code, leaving.code

def largest(pid):
    own = [line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line]
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(int, own)) + sum(map(largest, children))

own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([own, largest(os.getpid()) - own if pathlib.Path("/proc/self").exists() else 0]))
"""
KIB_PER_MB = 1000 * 1000 / 1024 if sys.platform == "linux" else 1000 * 1000

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Measure:
    """The run of median length: its seconds, and what its processes held at their largest, in MB.

    `largest_mb` is of the largest process of all; Python's and Node's own are told by `main.py` only.
    """

    seconds: float
    largest_mb: float
    python_mb: float | None = None
    node_mb: float | None = None


@app.command()
def bench(
    runs: Annotated[int, typer.Option(min=1, help="Runs of each measurement; the median is shown.")] = 3,
    plan: Annotated[bool, typer.Option(help="Also deploy to the local AWS and measure a plan (takes minutes).")] = True,
) -> None:
    """Print seconds and memory of synthesis and plan of the `demo` workspace."""
    toolchain.require()
    workspace = load("demo")
    environ = {**toolchain.environment(), VARIABLE: workspace.name}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        out = {**environ, "CDKTF_OUTDIR": folder}
        _main(out)  # fills jsii's cache, which both ways of importing share
        measures = {
            "python main.py, light bindings": _median(runs, lambda: _main(out)),
            "python main.py, whole bindings": _median(runs, lambda: _main({**out, FULL_BINDINGS: "1"})),
            "cdktf synth": _median(runs, lambda: _timed(["cdktf", "synth", "--output", folder], environ, ROOT)),
        }
    if plan:
        measures |= _deployed(workspace, runs)
    _show(measures)


def _main(environ: Mapping[str, str]) -> Measure:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED_MAIN], cwd=ROOT, env=dict(environ), stdout=subprocess.PIPE, check=False
    )
    seconds = time.monotonic() - begun
    if done.returncode:
        raise Failed(f"main.py ended with exit code {done.returncode}; the reason is above.")
    own, node = json.loads(done.stdout.splitlines()[-1])
    python_mb, node_mb = own / KIB_PER_MB, node / KIB_PER_MB
    return Measure(seconds, max(python_mb, node_mb), python_mb, node_mb)


def _timed(command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Measure:
    begun = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            list(command), cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        # Tells the largest of the process and of all that it waited for.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begun
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace")[-500:]
            raise Failed(f"`{' '.join(command)}` ended with exit code {process.returncode}: {said}")
    return Measure(seconds, usage.ru_maxrss / KIB_PER_MB)


def _median(runs: int, measure: Callable[[], Measure]) -> Measure:
    """The run whose time is the median; of an even number the faster of the middle two."""
    return sorted((measure() for _ in range(runs)), key=lambda one: one.seconds)[(runs - 1) // 2]


def _deployed(workspace: Workspace, runs: int) -> dict[str, Measure]:
    """Deploy to a local AWS, import slides there, and plan each stack; a plan ends with 0 if nothing is to change."""
    folder = FOLDER / "bench"
    empty(folder)
    settings = {FILES_VARIABLE: str(folder / "files"), programs.VARIABLE: str(IMAGES)}
    with LocalAws(region=workspace.region, log=folder / "aws.log", settings=settings) as aws:
        run = Rehearsal(workspace, find(workspace.name), folder, environ_of(workspace, aws))
        run.ensure_state()
        run.cdktf("deploy")
        if programs.can_run():
            bench_imports.show_overhead(run)
        command = ["terraform", "plan", "-detailed-exitcode", "-no-color"]
        return {
            f"plan of {stack.name}, nothing to change": _median(runs, lambda at=stack: _timed(command, run.environ, at))  # type: ignore[misc]
            for stack in run.stacks()
        }


def _show(measures: Mapping[str, Measure]) -> None:
    rows = []
    for name, one in measures.items():
        memory = [f"{mb:.0f}" if mb else "" for mb in (one.largest_mb, one.python_mb, one.node_mb)]
        rows.append((name, f"{one.seconds:.2f}", *memory))
    console.table(("measure", "seconds", "largest process, MB", "Python, MB", "Node, MB"), rows)
    light, whole, synth = list(measures.values())[:3]
    console.say(f"light bindings: {whole.seconds / light.seconds:.1f} times faster (aim: 4)")
    console.say(f"cdktf synth: {synth.seconds:.1f} s (aim: under 5)")
