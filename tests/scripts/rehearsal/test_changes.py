"""The command `changes`: its chains, what it deploys at a step, and what it calls well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.errors import Refused
from scripts.main import app
from scripts.rehearsal import changes, well
from tests.conftest import workspace


def test_lists_the_chains() -> None:
    done = CliRunner().invoke(app, ["changes", "--list", "--json", "--chain", "1"])
    assert json.loads(done.stdout) == {"chains": {"1": ["ec2-on", "ec2-off"]}}


def test_refuses_a_chain_that_is_none() -> None:
    done = CliRunner().invoke(app, ["changes", "--chain", "99"])
    assert isinstance(done.exception, Refused)
    assert str(done.exception) == "--chain 99 is not a chain; give one of 1, 2, 3, 4."


def test_what_a_stack_builds_on_counts_through_others() -> None:
    stacks = {"network": [], "frontend": ["network"], "omero": ["frontend"]}
    assert changes._all_needs(stacks, "omero") == {"frontend", "network"}


def test_cdktfs_remarks_are_no_difference(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text(json.dumps({"resource": [{"a": 1, "//": {"path": "x"}}]}))
    other.write_text(json.dumps({"resource": [{"a": 1, "//": {"path": "y"}}], "//": {}}))
    assert changes._without_remarks(one) == changes._without_remarks(other)


def _service(name: str) -> dict[str, Any]:
    deployment = {"rolloutState": "COMPLETED", "rolloutStateReason": "", "taskDefinition": "d:2"}
    return {"serviceName": f"omero-lab-{name}", "taskDefinition": "d:2", "deployments": [deployment]}


def _task(**changed: Any) -> dict[str, Any]:
    return {"taskDefinitionArn": "d:2", "healthStatus": "HEALTHY", "launchType": "FARGATE", **changed}


class Aws:
    """Answers for ECS and the balancers; `service` and `tasks` are the server's."""

    def __init__(self, *, service: dict[str, Any], tasks: list[dict[str, Any]], states: list[str]) -> None:
        self.services = [service, _service("web")]
        self.tasks = {"omero-lab-server": tasks, "omero-lab-web": [_task(), _task()]}
        self.states = states
        self.asked = ""

    def client(self, _name: str) -> Aws:
        return self

    def can_paginate(self, _operation: str) -> bool:
        return False

    def list_services(self, **_: Any) -> Any:
        return {"serviceArns": ["server", "web"]}

    def describe_services(self, **_: Any) -> Any:
        return {"services": self.services}

    def list_tasks(self, *, serviceName: str, **_: Any) -> Any:  # noqa: N803 - boto3's
        self.asked = serviceName
        return {"taskArns": self.tasks[serviceName]}

    def describe_tasks(self, **_: Any) -> Any:
        return {"tasks": self.tasks[self.asked]}

    def describe_target_groups(self, **_: Any) -> Any:
        return {"TargetGroups": [{"TargetGroupName": "web", "TargetGroupArn": "web"}]}

    def describe_target_health(self, **_: Any) -> Any:
        return {"TargetHealthDescriptions": [{"TargetHealth": {"State": state}} for state in self.states]}


@pytest.mark.parametrize(
    ("service", "tasks", "states", "said"),
    [
        ({}, [_task()], ["healthy", "draining"], None),
        ({}, [_task(), _task()], ["healthy"], "the service omero-lab-server has 2 tasks, not 1"),
        ({}, [_task(launchType="EC2")], ["healthy"], "the service omero-lab-server runs on EC2, not on FARGATE"),
        (
            {},
            [_task(healthStatus="UNHEALTHY")],
            ["healthy"],
            "the service omero-lab-server has a task that is UNHEALTHY",
        ),
        ({}, [_task(taskDefinitionArn="d:1")], ["healthy"], "the service omero-lab-server runs d:1"),
        ({"taskDefinition": "d:3"}, [_task(taskDefinitionArn="d:3")], ["healthy"], "was rolled back to d:2"),
        ({"serviceName": "omero-lab-other"}, [], ["healthy"], "the service omero-lab-server is missing"),
        ({}, [_task()], [], "the target group web has targets that are missing"),
        ({}, [_task()], ["unhealthy"], "the target group web has targets that are unhealthy"),
    ],
)
def test_says_what_is_not_well(
    service: dict[str, Any], tasks: list[dict[str, Any]], states: list[str], said: str | None
) -> None:
    aws: Any = Aws(service={**_service("server"), **service}, tasks=tasks, states=states)
    aws.tasks["omero-lab-other"] = []
    found = list(well.faults(aws, workspace(name="lab")))
    if said is None:
        assert found == []
    else:
        assert any(fault.endswith(said) for fault in found), found
