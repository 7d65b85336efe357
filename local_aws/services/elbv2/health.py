"""The health of targets, as far as ECS knows of it."""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup


def install() -> None:
    """Say `unused` and `initial` where AWS does."""
    original = FakeTargetGroup.health_for

    def health_for(self: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
        if (known := self.targets.get(target["Id"])) is None:
            return original(self, target, ec2_backend)
        if not self.load_balancer_arns:
            return FakeHealthStatus(
                target["Id"],
                known["Port"],
                self.health_check_port,
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            )
        if known.get("State") == "initial":
            return FakeHealthStatus(
                target["Id"],
                known["Port"],
                self.health_check_port,
                "initial",
                "Elb.RegistrationInProgress",
                "Target registration is in progress",
            )
        return original(self, target, ec2_backend)

    FakeTargetGroup.health_for = health_for
