"""Whether OMERO.server is fit for imports, as ECS tells it. The client is a stand-in with answers of ECS's form."""

from __future__ import annotations

from typing import Any

import pytest

from contract.outputs import Omero
from scripts.errors import Refused
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports import sources
from tests.conftest import workspace


class Ecs:
    """One service; `tasks` are (last status, desired status, health)."""

    def __init__(self, *tasks: tuple[str, str, str], status: str = "ACTIVE") -> None:
        self.tasks = {f"arn:aws:ecs:eu-central-1:1:task/c/{number}": task for number, task in enumerate(tasks)}
        self.status = status

    def describe_services(self, **_: Any) -> dict[str, Any]:
        return {"services": [{"status": self.status, "events": [{"message": "unable to place a task."}]}]}

    def list_tasks(self, *, desiredStatus: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"taskArns": [arn for arn, (_, desired, _) in self.tasks.items() if desired == desiredStatus]}

    def describe_tasks(self, *, tasks: list[str], **_: Any) -> dict[str, Any]:
        assert len(tasks) <= 100
        found = [(arn, *self.tasks[arn]) for arn in tasks]
        return {
            "tasks": [{"taskArn": arn, "lastStatus": last, "healthStatus": health} for arn, last, _, health in found]
        }


def check(ecs: Ecs) -> None:
    deployment = DeployedWorkspace(
        workspace=workspace(),
        session=None,  # type: ignore[arg-type]
        parameters={output.path: output.key for output in Omero.all()},
        _clients={("ecs", "standard"): ecs},
    )
    sources.check_server(deployment)


HEALTHY = ("RUNNING", "RUNNING", "HEALTHY")


def test_a_healthy_server_is_taken_whatever_has_stopped_before_it() -> None:
    check(Ecs(HEALTHY))
    check(Ecs(HEALTHY, *[("STOPPED", "STOPPED", "UNKNOWN")] * 150))


@pytest.mark.parametrize(
    ("ecs", "fault"),
    [
        (Ecs(HEALTHY, status="INACTIVE"), "does not exist; deploy the omero stack first"),
        (Ecs(), r"is not running \(unable to place a task\); its log group is server_log_group_name"),
        (Ecs(("PENDING", "RUNNING", "UNKNOWN")), "OMERO.server is not running"),
        (Ecs(("RUNNING", "RUNNING", "UNHEALTHY")), "is running but not healthy"),
        (Ecs(HEALTHY, HEALTHY), "OMERO.server has more than one task .*0 is RUNNING, 1 is RUNNING.* repository's lock"),
        (
            Ecs(HEALTHY, ("DEACTIVATING", "STOPPED", "HEALTHY")),
            "1 is DEACTIVATING.*wait until ECS has stopped",
        ),
    ],
)
def test_refuses_a_server_that_cannot_take_images(ecs: Ecs, fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        check(ecs)
