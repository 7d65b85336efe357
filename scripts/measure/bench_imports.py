"""Measure the ledger of imports: operations a second, and what planning a million filesets takes.

The ledger is in the local AWS, whose DynamoDB is slower than the real one: the figure is for comparing two versions of
this program on one machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import boto3
import typer

from containers.importer import entries
from containers.importer.batches import Limits, container_key, cut
from containers.importer.entries import IMPORTED, INDEX, PENDING
from containers.importer.ledger import THREADS, Ledger
from containers.importer.table import Table
from containers.supervisor.signing import Aws
from local_aws.server import LocalAws
from scripts import console
from scripts.errors import Failed
from scripts.rehearsal.imports import imports
from scripts.rehearsal.run import Rehearsal
from scripts.rehearsal.stand_ins.omero.state import Server
from settings.load import ROOT

ENTRIES = 300
MILLION = 1_000_000
SLIDES = 1000
# Aims: planning a million stays on a laptop, and a JVM is worth its start.
AIM_MB = 300
AIM_SECONDS = 60
AIM_JVMS = 10
# From a healthy server, with the command's own start: there is no task to start.
AIM_FIRST_SECONDS = 10
OPERATIONS = "operations"
PLAN = "import json; from scripts.measure.bench_imports import plan; print(json.dumps(plan({number})))"

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    number: Annotated[int, typer.Option(min=1000, help="Filesets in the plan.")] = MILLION,
) -> None:
    """Print seconds and memory that the ledger and the planning of imports take."""
    done = subprocess.run(
        [sys.executable, "-c", PLAN.format(number=number)], cwd=ROOT, stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise Failed(f"planning ended with exit code {done.returncode}; the reason is above.")
    planned = json.loads(done.stdout)
    with LocalAws() as aws:
        rates = _rates(aws)
    rows = []
    rows.append((f"plan of {number:,} filesets, seconds", f"{planned['seconds']:.1f}", f"under {AIM_SECONDS}"))
    rows.append((f"plan of {number:,} filesets, MB", f"{planned['mb']:.0f}", f"under {AIM_MB}"))
    rows.append(("JVM starts per 1,000 files (the original: 1,000)", f"{planned['jvms']:.1f}", f"under {AIM_JVMS}"))
    rows.append(("ledger, requests to DynamoDB per fileset", f"{rates.pop(OPERATIONS):.1f}", ""))
    for name, rate in rates.items():
        rows.append((f"ledger, {name}, {THREADS} at once, per second", f"{rate:.0f}", ""))
    console.table(("measure", "value", "aim"), rows)


def plan(number: int) -> dict[str, float]:
    """Cut `number` entries, as DynamoDB gives them, into batches; in a process of its own, for its memory."""
    import resource  # noqa: PLC0415 - not on Windows

    begun = time.monotonic()
    batches = sum(
        1
        for _ in cut(map(entries.plain, _items(number)), Limits(), container_key("regex:^.*in/(?<Container1>[^/]*).*"))
    )
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": time.monotonic() - begun,
        "mb": used * (1024 if sys.platform == "linux" else 1) / 1000**2,
        "jvms": batches * 1000 / number,
    }


def show_overhead(run: Rehearsal) -> None:
    """Import some slides where stacks are deployed, and print what that takes beyond OMERO's own importer.

    The importer is a stand-in, the containers are real: what a task takes to start on AWS is not in it.
    """
    data = next(stack for stack in run.stacks() if stack.name == "data")
    run.read_state(data)
    folder = run.omero / "Bench"
    folder.mkdir()
    for number in range(SLIDES):
        (folder / f"slide {number:05}.svs").write_bytes(b"II*\0%d" % number)
    with run.step(f"scan {SLIDES} slides"):
        imports(run.environ, run.folder, "scan", "/OMERO/Bench", "--settle", "0")
    with run.step(f"import {SLIDES} slides"):
        begun, asked = time.monotonic(), time.time()
        took = json.loads(imports(run.environ, run.folder, "run", "--json"))
        seconds = time.monotonic() - begun
    if took["imported"] != SLIDES:
        raise Failed(f"{took['imported']} of {SLIDES} slides were imported; there is nothing to measure.")
    starts = Server(run.omero).jvm_starts()
    jvms = len(starts)
    own, importer = seconds - took["seconds"], took["seconds"]
    rows = []
    rows.append((f"JVM starts for {SLIDES} files (the original: {SLIDES})", str(jvms), f"under {AIM_JVMS}"))
    rows.append(("from `run` to the first JVM, seconds", f"{starts[0][0] - asked:.1f}", f"under {AIM_FIRST_SECONDS}"))
    rows.append(("beyond OMERO's own importer, filesets a minute", f"{60 * SLIDES / max(own, 0.001):.0f}", ""))
    rows.append(("OMERO's own importer, ms per file", f"{1000 * importer / SLIDES:.0f}", ""))
    rows.append(("beyond it, ms per file", f"{1000 * own / SLIDES:.0f}", ""))
    rows.append(("beyond it, part of all", f"{own / seconds:.0%}", ""))
    console.table(("measure", "value", "aim"), rows)


def _items(number: int) -> Iterator[dict[str, dict[str, Any]]]:
    """In folders of 1,000."""
    for count in range(number):
        path = f"/OMERO/in/2025-{count // 1000:05}/slide {count:07}.svs".encode()
        id_ = entries.fileset_id(path)
        values = {"id": id_, "path": path, "state": PENDING, "queue": entries.queue(PENDING, id_), "size": 500_000_000}
        yield entries.wire({**values, "found": f"2025-01-01T00:00:00Z#{count:010}", "files": 1, "attempts": 0})


def make_tables(client: Any, ledger: str, requests: str, **more: Any) -> None:
    """The two tables as the stack `data` makes them; `more` are arguments of CreateTable."""
    index_key = [{"AttributeName": "queue", "KeyType": "HASH"}, {"AttributeName": "found", "KeyType": "RANGE"}]
    client.create_table(
        TableName=ledger,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("found", "id", "queue")],
        GlobalSecondaryIndexes=[
            {"IndexName": INDEX, "KeySchema": index_key, "Projection": {"ProjectionType": "ALL"}},
        ],
        **more,
    )
    client.create_table(
        TableName=requests,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "part", "KeyType": "HASH"}, {"AttributeName": "row", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("part", "row")],
        **more,
    )


def _rates(aws: LocalAws) -> dict[str, float]:
    """Of the worker's own operations: what it does to an entry between found and imported."""
    session = boto3.Session("testing", "testing", region_name=aws.region)
    make_tables(session.client("dynamodb", endpoint_url=aws.endpoint), "ledger", "requests")
    os.environ.update(aws.environ())
    client = Aws(aws.region)
    ledger = Ledger(Table(client, "ledger"), Table(client, "requests"))
    values = [{**entries.plain(item), "who": "bench", "at": entries.now_text()} for item in _items(ENTRIES)]
    claimed: list[dict[str, Any]] = []
    asked = [0]
    call = client.call

    def counted(*arguments: Any, **more: Any) -> dict[str, Any]:
        asked[0] += 1
        return call(*arguments, **more)

    client.call = counted  # type: ignore[method-assign]

    def record() -> int:
        ledger.put_open((each["id"], each["found"], each["path"]) for each in values)
        return sum(ledger.at_once(ledger.put_new, values))

    def claim() -> int:
        claimed[:] = ledger.claim("attempt", "request", ledger.open(), "bench")
        return len(claimed)

    def settle() -> int:
        return sum(ledger.at_once(lambda each: ledger.settle(each, IMPORTED, {"fileset": 1}), claimed))

    rates = {
        "filesets found": _rate(record),
        "filesets claimed": _rate(claim),
        "filesets imported": _rate(settle),
    }
    return {**rates, OPERATIONS: asked[0] / ENTRIES}


def _rate(action: Any) -> float:
    begun = time.monotonic()
    count = action()
    if count != ENTRIES:
        raise Failed(f"the ledger completed {count} of {ENTRIES} operations, so it cannot be measured.")
    return float(count / (time.monotonic() - begun))
