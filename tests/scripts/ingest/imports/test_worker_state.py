"""Why there is no worker, as ECS tells it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from contract.outputs import Omero
from scripts.ingest.imports.requests import Lease
from scripts.ingest.imports.worker_state import absence

ARN = "arn:aws:ecs:eu-west-1:111122223333:task/omero-lab/abc"
SERVICE = {"status": "ACTIVE", "desiredCount": 1, "events": [{"message": "unable to place a task."}]}


def container(**more: Any) -> dict[str, Any]:
    return {"name": "importer", "lastStatus": "RUNNING", **more}


def task(*containers: dict[str, Any], status: str = "RUNNING") -> dict[str, Any]:
    return {"taskArn": ARN, "lastStatus": status, "containers": [{"name": "server"}, *containers]}


class Deployed:
    """A workspace whose ECS says this; with `denied`, nothing."""

    def __init__(self, services: list[Any], tasks: list[Any], *, denied: bool = False) -> None:
        self._services, self._tasks, self._denied = services, tasks, denied

    def client(self, _service: str) -> Any:
        return self

    def parameter(self, output: Any) -> str:
        return str(output.path)

    def published(self, output: Any) -> str:
        return "/omero/lab/importer" if output is Omero.importer_log_group_name else ""

    def describe_services(self, **_: Any) -> Any:
        if self._denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeServices")
        return {"services": self._services}

    def list_tasks(self, **_: Any) -> Any:
        return {"taskArns": [ARN] * len(self._tasks)}

    def describe_tasks(self, **_: Any) -> Any:
        return {"tasks": self._tasks}


@pytest.mark.parametrize(
    ("services", "tasks", "said"),
    [
        ([], [], "does not exist; deploy the omero stack first"),
        ([{**SERVICE, "desiredCount": 0}], [], "has a desired count of 0; set it to 1"),
        ([SERVICE], [], "no task of OMERO.server is running (unable to place a task)"),
        ([SERVICE], [task(), task()], "ECS is replacing OMERO.server's task: 2 are there"),
        ([SERVICE], [task(container(), status="PENDING")], "task abc is PENDING; wait a few minutes"),
        ([SERVICE], [task()], "has no container importer; deploy the omero stack again"),
        ([SERVICE], [task(container(lastStatus="STOPPED", exitCode=137))], "importer is STOPPED (exit code 137)"),
        ([SERVICE], [task(container(lastStatus="STOPPED", reason="OutOfMemoryError"))], "STOPPED (OutOfMemoryError)"),
        ([SERVICE], [task(container())], "its worker is starting or being started again; its log is in /omero/lab/im"),
    ],
)
def test_the_reason_is_ecs_own(services: list[Any], tasks: list[Any], said: str) -> None:
    assert said in absence(Deployed(services, tasks), None)  # type: ignore[arg-type]


def test_says_when_a_worker_was_seen_last_and_that_ecs_may_not_be_asked() -> None:
    lease = Lease(token="t", beat=1, task=ARN, says={}, at="2026-01-01T00:00:00Z")
    told = absence(Deployed([], [], denied=True), lease)  # type: ignore[arg-type]
    assert told.startswith("ECS does not say why: ")
    assert told.endswith("; it was last seen at 2026-01-01T00:00:00Z (by its own clock)")
