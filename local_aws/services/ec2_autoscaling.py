"""EC2 Auto Scaling: groups as Terraform reads them back, and their end.

moto 5.2.5 drops most settings of a group (among them the maximum lifetime of instances, the default warm-up and the
maintenance policy; on an update also the cool-down and the termination policies), turns a grace period of 0 into
300, and starts all instances in the first subnet. DeleteAutoScalingGroup leaves instances that are protected from
scale-in running, for ever outside of any group.

AWS spreads the instances over the zones; with ForceDelete it terminates every instance, protected or not; without,
it refuses as long as there are instances
(https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html).

Not modelled: instance refreshes (501), warm pools, health checks, and scaling by policies. Lifecycle hooks are in
`lifecycle_hooks`.
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse as Response

from local_aws import actions

Json = dict[str, Any]

# What moto drops, by its name in a request and in moto's group, where the response is made from.
_SETTINGS = {
    "MaxInstanceLifetime": "max_instance_lifetime",
    "DefaultInstanceWarmup": "default_instance_warmup",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
    "Context": "context",
    "DesiredCapacityType": "desired_capacity_type",
    "AvailabilityZoneDistribution": "availability_zone_distribution",
    "CapacityReservationSpecification": "capacity_reservation_specification",
    "DefaultCooldown": "default_cooldown",
    "HealthCheckGracePeriod": "health_check_grace_period",
    "TerminationPolicies": "termination_policies",
    "CapacityRebalance": "capacity_rebalance",
    "ServiceLinkedRoleARN": "service_linked_role_arn",
    "PlacementGroup": "placement_group",
}
_CLEARED = (("MaxInstanceLifetime", 0), ("MaxInstanceLifetime", None), ("DefaultInstanceWarmup", -1))


def _kept(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    answer = moto()
    if group := backend.autoscaling_groups.get(asked.get("AutoScalingGroupName")):
        for name, attribute in _SETTINGS.items():
            if name in asked:
                value = asked[name]
                cleared = (
                    not value if name == "MaxInstanceLifetime" else name == "DefaultInstanceWarmup" and value == -1
                )
                setattr(group, attribute, None if cleared else value)
    return answer


def group_of(backend: Any, asked: Json) -> Any:
    """The group that a request names.

    Raises AutoscalingClientError if there is none.
    """
    name = asked["AutoScalingGroupName"]
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise AutoscalingClientError("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}'")
    return group


def delete_auto_scaling_group(backend: Any, asked: Json) -> None:
    group = group_of(backend, asked)
    if group.instance_states and not asked.get("ForceDelete"):
        raise AutoscalingClientError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending activities still in the group.",
        )
    for state in group.instance_states:
        state.protected_from_scale_in = False
    backend.delete_auto_scaling_group(group.name)
    return


_ACTIONS: dict[str, actions.Action] = {
    "DeleteAutoScalingGroup": delete_auto_scaling_group,
}


def install() -> None:
    """Put it into moto's Auto Scaling."""
    actions.add(Response, "autoscaling_backend", _ACTIONS)
    actions.wrap(Response, "autoscaling_backend", {"CreateAutoScalingGroup": _kept, "UpdateAutoScalingGroup": _kept})
    launch = FakeAutoScalingGroup.replace_autoscaling_group_instances

    def replace_autoscaling_group_instances(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        listed = self.vpc_zone_identifier
        subnets = listed.split(",") if listed else []
        for _ in range(count_needed):
            used = [state.instance.subnet_id for state in self.instance_states]
            # moto takes the first one.
            self.vpc_zone_identifier = ",".join(sorted(subnets, key=used.count)) or None
            try:
                launch(self, 1, dict(propagated_tags))
            finally:
                self.vpc_zone_identifier = listed

    FakeAutoScalingGroup.replace_autoscaling_group_instances = replace_autoscaling_group_instances
