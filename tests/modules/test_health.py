"""What a container's health check and a service's grace period may be: as botocore's model of ECS says."""

from __future__ import annotations

import re
from typing import Any

import botocore.session
import pytest

from modules.container import MAX_START_PERIOD, Health
from modules.omero import SERVER_GRACE_SECONDS


def _said(documentation: str) -> str:
    return re.sub(r"<[^>]+>", "", documentation)


@pytest.fixture(scope="module")
def model() -> Any:
    return botocore.session.get_session().get_service_model("ecs")


def test_the_longest_start_period_is_ecss(model: Any) -> None:
    said = _said(model.shape_for("HealthCheck").members["startPeriod"].documentation)
    assert f"between 0 and {MAX_START_PERIOD} seconds" in said


@pytest.mark.parametrize("operation", ["CreateService", "UpdateService"])
def test_the_grace_period_holds_back_container_health_too(model: Any, operation: str) -> None:
    asked = model.operation_model(operation).input_shape.members["healthCheckGracePeriodSeconds"]
    assert "ignores unhealthy Elastic Load Balancing, VPC Lattice, and container health checks" in " ".join(
        _said(asked.documentation).split()
    )


def test_refuses_a_start_period_that_ecs_does_not_take() -> None:
    with pytest.raises(ValueError, match="a start period of 301 s is longer than ECS takes, 300 s"):
        Health(command="true", start_period=301)


def test_a_server_has_half_an_hour_beyond_its_checks_own_patience() -> None:
    check = Health(command="true")
    assert check.start_period + check.interval * check.retries + 30 * 60 <= SERVER_GRACE_SECONDS
