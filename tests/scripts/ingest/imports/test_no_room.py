"""RunTask's refusals that pass: an importer waits for room, and does not give up."""

from __future__ import annotations

from typing import Any

import pytest

from local_aws.services.ecs.vcpus import LIMIT
from scripts.ingest.imports.ecs_task import NotStarted, TaskTransport


class _Deployment:
    """Has one client, whose RunTask answers a failure."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def client(self, service: str, *, patient: bool) -> _Deployment:
        return self

    def parameter(self, output: Any) -> str:
        return "x"

    def listed(self, output: Any) -> list[str]:
        return ["x"]

    def published(self, output: Any) -> None:
        return None

    def run_task(self, **asked: Any) -> dict[str, Any]:
        return {"tasks": [], "failures": [{"reason": self.reason}]}


@pytest.mark.parametrize(
    ("reason", "passing"),
    [
        ("RESOURCE:MEMORY", True),
        (LIMIT, True),
        (LIMIT.replace("\u2019", "'"), True),
        ("Capacity is unavailable at this time. Please try again later.", True),
        ("MISSING", False),
    ],
)
def test_waits_for_room(reason: str, passing: bool) -> None:
    transport = TaskTransport(_Deployment(reason))  # type: ignore[arg-type]
    with pytest.raises(NotStarted) as raised:
        transport.start("slot#00", "b")
    assert raised.value.passing is passing
