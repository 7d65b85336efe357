"""Deployments with a bad image, and health that comes later than RUNNING: as ECS's reference and its users tell it.

What is waited for is seconds of AWS's clock: LOCAL_AWS_TASK_CHECK_SCALE makes 1,000 of them one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Ecs, target_group, until
from local_aws.testing.faults import add_faults, forget_faults

BAD = "example/web:bad"
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
PULL = f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {BAD}"


@pytest.fixture
def mark(aws: LocalAws) -> Iterator[Any]:
    """Marks the bad image with a fault."""
    yield lambda fault: add_faults(aws.endpoint, "ecs", {"image": [f"{fault} {BAD}"]})
    forget_faults(aws.endpoint, "ecs")


def _definition(ecs: Ecs, *, checked: bool = True) -> str:
    check = {"healthCheck": {"command": ["CMD-SHELL", "true"], "startPeriod": 300, "interval": 30, "retries": 5}}
    container = {"name": "web", "image": BAD, "portMappings": [{"containerPort": 4080}], **(check if checked else {})}
    return ecs.definition(containerDefinitions=[container])


def _primary(ecs: Ecs) -> dict[str, Any]:
    return dict(ecs.service()["deployments"][0])


@pytest.mark.parametrize(
    ("fault", "event", "reason"),
    [
        ("CannotPullContainerError", f"was unable to place a task. Reason: {PULL}", PULL),
        ("unhealthy", "failed container health checks.", "Task failed container health checks"),
        ("exit", "deployment failed: tasks failed to start.", "Essential container in task exited"),
    ],
)
def test_rolls_back_a_bad_image_after_three_failed_tasks(
    ecs: Ecs, mark: Any, fault: str, event: str, reason: str
) -> None:
    mark(fault)
    good = ecs.definition()
    ecs.create(good, desiredCount=1, deploymentConfiguration=BREAKER)
    until(ecs.is_steady)
    first = _primary(ecs)["id"]
    bad = _definition(ecs)

    ecs.client.update_service(cluster=ecs.cluster, service="web", taskDefinition=bad)
    until(lambda: any(each["rolloutState"] == "FAILED" for each in ecs.service()["deployments"]))

    back, failed = (
        next(each for each in ecs.service()["deployments"] if each["taskDefinition"] == arn) for arn in (good, bad)
    )
    assert back["rolloutStateReason"] == f"ECS deployment circuit breaker: rolling back to deploymentId {first}."
    assert failed["status"] == "ACTIVE"
    assert failed["failedTasks"] >= 3
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    until(ecs.is_steady)
    assert ecs.service()["taskDefinition"] == good
    stopped = [task for task in ecs.tasks("STOPPED") if task["taskDefinitionArn"] == bad]
    assert len(stopped) >= 3
    assert all(task["stoppedReason"].startswith(reason) for task in stopped)
    assert any(event in message for message in ecs.messages())


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to(ecs: Ecs, mark: Any) -> None:
    mark("exit")
    ecs.create(_definition(ecs), desiredCount=1, deploymentConfiguration=BREAKER)
    until(lambda: _primary(ecs)["rolloutState"] == "FAILED")
    assert len(ecs.service()["deployments"]) == 1
    until(lambda: ecs.service()["runningCount"] == 0)
    until(lambda: ecs.service()["pendingCount"] == 0)  # one may have begun before the third failed
    assert _primary(ecs)["failedTasks"] >= 3


def test_is_running_long_before_it_is_healthy(ecs: Ecs, mark: Any) -> None:
    mark("slow:1800")  # half an hour, beyond startPeriod and retries
    seen: list[tuple[str, str]] = []
    ecs.create(_definition(ecs), desiredCount=1, deploymentConfiguration=BREAKER, healthCheckGracePeriodSeconds=2700)

    def look() -> bool:
        found = ecs.tasks()
        state = _primary(ecs)["rolloutState"]
        seen.extend((task["healthStatus"], state) for task in found if task["lastStatus"] == "RUNNING")
        return bool(state == "COMPLETED")

    until(look)
    healths = list(dict.fromkeys(health for health, _ in seen))
    assert healths[:2] == ["UNKNOWN", "UNHEALTHY"]
    assert ("UNHEALTHY", "IN_PROGRESS") in seen
    assert ("HEALTHY", "IN_PROGRESS") not in seen
    assert ecs.service()["healthCheckGracePeriodSeconds"] == 2700
    assert ecs.tasks("STOPPED") == []


def test_without_a_grace_period_slow_is_failed(ecs: Ecs, mark: Any) -> None:
    mark("slow:1800")
    ecs.create(_definition(ecs), desiredCount=1, deploymentConfiguration=BREAKER)
    until(lambda: _primary(ecs)["rolloutState"] == "FAILED")
    assert {task["stopCode"] for task in ecs.tasks("STOPPED")} == {"ServiceSchedulerInitiated"}


def test_targets_that_stay_unhealthy_end_their_tasks(ecs: Ecs, client: Client, mark: Any) -> None:
    mark("unhealthy")
    group, _ = target_group(client, ecs.network)
    ecs.create(
        _definition(ecs, checked=False),
        desiredCount=1,
        deploymentConfiguration=BREAKER,
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": 4080}],
    )
    until(lambda: _primary(ecs)["rolloutState"] == "FAILED")
    reasons = {task["stoppedReason"] for task in ecs.tasks("STOPPED")}
    assert reasons == {f"Task failed ELB health checks in (target-group {group})"}
    assert any(f"(port 4080) is unhealthy in (target-group {group})" in message for message in ecs.messages())


def test_a_mark_stays_until_it_is_dropped(aws: LocalAws, ecs: Ecs, mark: Any) -> None:
    mark("exit")
    ecs.create(_definition(ecs), desiredCount=1)
    until(lambda: len(ecs.tasks("STOPPED")) > 1)
    forget_faults(aws.endpoint, "ecs")
    until(ecs.is_steady)
