"""EC2 Auto Scaling: groups as Terraform reads them back, their end, and instance refreshes.

moto 5.2.5 drops most settings of a group (among them the maximum lifetime of instances, the default warm-up and the
maintenance policy; on an update also the cool-down and the termination policies), turns a grace period of 0 into
300, starts all instances in the first subnet, and lacks StartInstanceRefresh, DescribeInstanceRefreshes and
CancelInstanceRefresh. DeleteAutoScalingGroup leaves instances that
are protected from scale-in running, for ever outside of any group.

AWS spreads the instances over the zones; with ForceDelete it terminates every instance, protected or not; without,
it refuses as long as there are instances
(https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteAutoScalingGroup.html). It refuses a second
refresh at the same time.

A refresh replaces the instances within LOCAL_AWS_REFRESH_SECONDS (2; AWS: minutes for each), all at once. One
with ScaleInProtectedInstances "Wait" (the default is "Wait", as in AWS) ends in Failed when it meets a protected
instance, "Ignore" passes over it. Not modelled: checkpoints, roll back, warm pools, health checks, and scaling by
policies. Lifecycle hooks are in `lifecycle_hooks`.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import FakeAutoScalingGroup, autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse as Response

from local_aws import actions, clock

Json = dict[str, Any]

REFRESH = clock.seconds("LOCAL_AWS_REFRESH_SECONDS", 2)

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
_OPEN = ("Pending", "InProgress")


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


def _refreshes(group: Any) -> list[dict[str, Any]]:
    if not hasattr(group, "_refreshes"):
        group._refreshes = []
    return group._refreshes  # type: ignore[no-any-return]


def start_instance_refresh(backend: Any, asked: Json) -> Json:
    group = group_of(backend, asked)
    if any(each["Status"] in _OPEN for each in _refreshes(group)):
        raise AutoscalingClientError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    refresh = {
        "InstanceRefreshId": str(uuid4()),
        "AutoScalingGroupName": group.name,
        "Status": "InProgress",
        "StartTime": datetime.now(UTC),
        "PercentageComplete": 0,
        "InstancesToUpdate": len(group.instance_states),
        "Preferences": asked.get("Preferences") or {},
        "DesiredConfiguration": asked.get("DesiredConfiguration"),
        "_due": time.time() + REFRESH,
    }
    _refreshes(group).insert(0, refresh)
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


def describe_instance_refreshes(backend: Any, asked: Json) -> Json:
    wanted = asked.get("InstanceRefreshIds")
    found = [each for each in _refreshes(group_of(backend, asked)) if not wanted or each["InstanceRefreshId"] in wanted]
    shown = [{name: value for name, value in each.items() if name != "_due" and value is not None} for each in found]
    return {"InstanceRefreshes": shown}


def cancel_instance_refresh(backend: Any, asked: Json) -> Json:
    for refresh in _refreshes(group_of(backend, asked)):
        if refresh["Status"] in _OPEN:
            refresh.update(Status="Cancelled", EndTime=datetime.now(UTC))
            return {"InstanceRefreshId": refresh["InstanceRefreshId"]}
    raise AutoscalingClientError(
        "ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group."
    )


def _tick(now: float) -> None:
    for regions in list(autoscaling_backends.values()):
        for backend in list(regions.values()):
            for group in list(backend.autoscaling_groups.values()):
                for refresh in _refreshes(group):
                    if refresh["Status"] in _OPEN and refresh["_due"] <= now:
                        _refresh(group, refresh)


def _refresh(group: Any, refresh: dict[str, Any]) -> None:
    """Replace the instances: the new ones first, as with a maximum healthy percentage above 100."""
    mode = refresh["Preferences"].get("ScaleInProtectedInstances") or "Wait"
    old = list(group.instance_states)
    protected = [state for state in old if state.protected_from_scale_in]
    refresh["EndTime"] = datetime.now(UTC)
    if protected and mode == "Wait":
        refresh.update(Status="Failed", StatusReason="Instances are protected from scale in.")
        return
    replaced = [state for state in old if mode != "Ignore" or state not in protected]
    if replaced:
        group.replace_autoscaling_group_instances(len(replaced), group.get_propagated_tags())
        group.instance_states = [state for state in group.instance_states if state not in replaced]
        group.autoscaling_backend.ec2_backend.terminate_instances([state.instance.id for state in replaced])
    refresh.update(Status="Successful", PercentageComplete=100, InstancesToUpdate=0)


_ACTIONS: dict[str, actions.Action] = {
    "DeleteAutoScalingGroup": delete_auto_scaling_group,
    "StartInstanceRefresh": start_instance_refresh,
    "DescribeInstanceRefreshes": describe_instance_refreshes,
    "CancelInstanceRefresh": cancel_instance_refresh,
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
    clock.every_request(_tick)
