"""What the real provider makes of a deployment that ECS rolls back, or that is RUNNING long before it is healthy.

`wait_for_steady_state` of provider 5.100.0 asks for one deployment that has as many running tasks as are desired
(terraform-provider-aws, issues 19519 and 20858): that holds after a rollback too. A postcondition tells them apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws.server import LocalAws
from local_aws.testing.ecs import until
from local_aws.testing.faults import add_faults
from local_aws.tests.terraform_run import APPLY, PLAN, PLAN_FINDS_NOTHING, prepare

pytestmark = pytest.mark.terraform

BAD, NEXT = "example/server:bad", "example/server:2"
FINDS_CHANGES = 2


def _service(aws: LocalAws) -> dict[str, Any]:
    session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=aws.region)
    ecs = session.client("ecs", endpoint_url=aws.endpoint)
    found: dict[str, Any] = ecs.describe_services(cluster="rollout", services=["server"])["services"][0]
    definition = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
    return {**found, "image": definition["containerDefinitions"][0]["image"], "definition": definition["status"]}


def test_only_a_postcondition_tells_a_rollback_from_a_deployment(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with LocalAws(log=log) as aws:
        succeed = prepare(aws, "terraform_rollout", tmp_path)
        succeed("init", "-input=false", "-no-color")

        # RUNNING is enough for the provider; the health checks pass much later.
        add_faults(aws.endpoint, "ecs", {"image": ["slow:20000 example/server:1"]})
        succeed("apply", *APPLY)
        assert _service(aws)["deployments"][0]["rolloutState"] == "IN_PROGRESS"
        succeed(*PLAN, expected=PLAN_FINDS_NOTHING)
        succeed("apply", *APPLY, f"-var=image={NEXT}")
        until(lambda: _service(aws)["deployments"][0]["rolloutState"] == "COMPLETED", seconds=30)

        add_faults(aws.endpoint, "ecs", {"image": [f"CannotPullContainerError {BAD}"]})
        bad = f"-var=image={BAD}"
        said = succeed("apply", "-json", *APPLY, bad, expected=1)
        assert "not what was asked for" in said
        # The revision that it went back to is still registered: create_before_destroy.
        assert (_service(aws)["image"], _service(aws)["definition"]) == (NEXT, "ACTIVE")
        succeed(*PLAN, bad, expected=FINDS_CHANGES)

        assert "Apply complete!" in succeed("apply", *APPLY, bad, "-var=checked=false")
        assert _service(aws)["image"] == NEXT

        again = "-var=image=example/server:3"
        succeed("apply", *APPLY, again)
        assert _service(aws)["image"] == "example/server:3"
        succeed(*PLAN, again, expected=PLAN_FINDS_NOTHING)
        succeed("destroy", *APPLY, again)
    text = log.read_text()
    assert "NotImplemented" not in text
    assert "LocalAwsFault" not in text
