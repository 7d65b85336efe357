"""A run looks after jobs whose start, clock or runner is in doubt, without doing anything twice."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from containers.importer.entries import IMPORTED, RUNNING
from local_aws.testing.ecs import until
from scripts.errors import Refused
from scripts.ingest.imports import importing as importing_module
from scripts.ingest.imports import ledger as ledger_module
from scripts.ingest.imports.ecs_task import Ended, NotStarted, TaskTransport
from scripts.ingest.imports.importing import ImportOptions, Run
from scripts.ingest.imports.ledger import JobItem
from scripts.ingest.imports.single_job import run_job
from tests.scripts.ingest.imports.imports_help import QUICK, Importing


def test_a_program_that_runs_though_its_start_failed_is_not_started_again(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [importing.image(f"{number}.tif") for number in range(3)]
    importing.scan()
    importing.server.fault("slow", "", seconds=0.5)
    start = TaskTransport.start

    def unknown(self: TaskTransport, key: str, batch: str) -> str:
        start(self, key, batch)
        until(lambda: (job := importing.ledger.job(key)) and job.state == RUNNING)
        raise NotStarted("the answer was lost", passing=True)

    monkeypatch.setattr(TaskTransport, "start", unknown)
    importing.run()
    assert importing.states() == dict.fromkeys(paths, IMPORTED)
    assert set(importing.once().values()) == {1}
    assert len(importing.server.jvm_starts()) == 1
    assert all(entry.attempts == 1 for entry in importing.ledger.entries())


def test_a_clock_that_is_an_hour_ahead_stops_no_importer(importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    path = importing.image("a.tif")
    importing.scan()
    importing.server.fault("slow", "a.tif", seconds=3)
    ahead = SimpleNamespace(**{**vars(time), "time": lambda: time.time() + 3600})
    monkeypatch.setattr(importing_module, "time", ahead)
    monkeypatch.setattr(ledger_module, "time", ahead)
    asked: list[str] = []
    ended = TaskTransport.ended

    def counted(self: TaskTransport, job: JobItem) -> Ended | None:
        asked.append(job.state)
        return ended(self, job)

    monkeypatch.setattr(TaskTransport, "ended", counted)
    importing.run()
    assert importing.states() == {path: IMPORTED}
    assert len(importing.server.jvm_starts()) == 1
    assert RUNNING not in asked, "while it beats, ECS is not asked about it"


def test_the_job_of_a_killed_runner_is_nobodys_when_its_lease_is_over(
    importing: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = {"do": "verify", "lease_seconds": 3}

    said = []
    monkeypatch.setattr(ledger_module, "CLAIM_SECONDS", 2)
    assert importing.ledger.take("job#a", work, [], "alice@lab")
    result = run_job(
        importing.ledger,
        importing.transport(),
        work,
        key="job#a",
        event=lambda kind, facts: said.append(facts["reason"]) if kind == "waiting" else None,
        poll_seconds=0.1,
    )
    assert result == {"same": 0, "differs": 0}
    assert said == ["alice@lab has started the same job, and this command waits for it"]


def test_says_what_is_missing_to_look_after_anothers_job(importing: Importing) -> None:
    importing.image("a.tif")
    importing.scan()
    token = importing.ledger.take("slot#00", {"do": "import", "transport": "exec"}, [], "alice@lab")
    assert token
    importing.ledger.ready("slot#00", token, [])
    way = importing.transport()

    def other(name: str) -> TaskTransport:
        assert name == "exec"
        raise Refused("session-manager-plugin is not on the PATH.")

    run = Run(importing.ledger, way, ImportOptions(**QUICK), lambda *_: None, other)
    with pytest.raises(Refused, match=r"slot#00 was started by alice@lab with --transport exec, .*not on the PATH"):
        run.run()
    importing.ledger.drop("slot#00", token)
