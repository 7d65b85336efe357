"""EC2 Auto Scaling: instances that wait for a lifecycle hook before they go into service.

moto 5.2.5 keeps hooks, with a role and a notification target that nobody gave, and puts every instance into service at
once; it lacks CompleteLifecycleAction, and lists no scaling activity.

In a group with a hook on autoscaling:EC2_INSTANCE_LAUNCHING an instance is in Pending:Wait until
CompleteLifecycleAction says CONTINUE or ABANDON for it, or until the heartbeat timeout, when the hook's default result
holds. An abandoned instance is terminated and another one started, and the activity of its launch is Cancelled, with
AWS's message (https://docs.aws.amazon.com/autoscaling/ec2/userguide/completing-lifecycle-hooks.html).

No user data runs here, so that nobody would complete the action: LOCAL_AWS_SET_UP_SECONDS (2; AWS: as long as the user
data takes) after its start an instance's action is completed with LOCAL_AWS_SET_UP_RESULT, CONTINUE, or ABANDON for a
set-up that fails, or is left to the timeout with NONE. A set-up fails, too, where security groups keep the instance
from what its user data names (`setup_network`), or its role lacks a right for it (`host_roles`): also for completing
the action, where AWS would wait for the timeout. A launch beyond the quota of vCPUs fails, and its activity has EC2's
message; AWS tries again by itself, here the next change of the group does. Not modelled: hooks on termination, several
hooks on launches (the first one counts), heartbeats, notifications.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse as Response
from moto.ec2.exceptions import EC2ClientError

from local_aws import actions, clock, host_roles, setup_network
from local_aws.services.ec2_autoscaling import Json, group_of
from local_aws.services.ecs.instances import user_data
from local_aws.services.service_quotas import VCPUS

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
WAITING = "Pending:Wait"
RESULTS = ("CONTINUE", "ABANDON")
SET_UP = clock.seconds("LOCAL_AWS_SET_UP_SECONDS", 2)


def result(value: str) -> str:
    """What LOCAL_AWS_SET_UP_RESULT says.

    Raises ValueError where it says anything else than is allowed.
    """
    if value not in (*RESULTS, "NONE"):
        raise ValueError(f"LOCAL_AWS_SET_UP_RESULT is {value}; allowed: {', '.join(RESULTS)} or NONE")
    return value


RESULT = result(os.environ.get("LOCAL_AWS_SET_UP_RESULT", "CONTINUE"))


def _hook(group: Any) -> Any:
    hooks = group.autoscaling_backend.lifecycle_hooks.values()
    own = (hook for hook in hooks if hook.auto_scaling_group_name == group.name)
    return next((hook for hook in own if hook.lifecycle_transition == LAUNCHING), None)


def _activities(group: Any) -> list[dict[str, Any]]:
    if not hasattr(group, "_local_activities"):
        group._local_activities = []
    return group._local_activities  # type: ignore[no-any-return]


def _note(group: Any, what: str, begun: datetime, status: str, said: str) -> None:
    """Add a launch that came to nothing to the group's activities."""
    _activities(group).insert(
        0,
        {
            "ActivityId": str(uuid4()),
            "AutoScalingGroupName": group.name,
            "Description": what,
            "Cause": "an instance was started in response to a difference between desired and actual capacity",
            "StartTime": begun,
            "EndTime": datetime.now(UTC),
            "StatusCode": status,
            "StatusMessage": said,
            "Progress": 100,
        },
    )


def _wait(group: Any, state: Any, hook: Any) -> None:
    state.lifecycle_state = WAITING
    now = time.time()
    after = SET_UP if RESULT in RESULTS else hook.heartbeat_timeout
    state._due, state._result = now + after, RESULT if RESULT in RESULTS else hook.default_result
    state._token, state._begun = str(uuid4()), datetime.now(UTC)


def _complete(group: Any, state: Any, said: str) -> None:
    if said == "CONTINUE":
        state.lifecycle_state = "InService"
        return
    why = f"Lifecycle Action with token {state._token} was abandoned: Lifecycle Action Completed with ABANDON Result"
    said = f"Instance failed to complete user's Lifecycle Action: {why}"
    _note(group, f"Launching a new EC2 instance: {state.instance.id}", state._begun, "Cancelled", said)
    group.instance_states = [each for each in group.instance_states if each is not state]
    group.autoscaling_backend.ec2_backend.terminate_instances([state.instance.id])
    group.replace_autoscaling_group_instances(1, group.get_propagated_tags())


def complete_lifecycle_action(backend: Any, asked: Json) -> None:
    group, hook, said = group_of(backend, asked), asked["LifecycleHookName"], asked["LifecycleActionResult"]
    if said not in RESULTS:
        raise AutoscalingClientError("ValidationError", "The lifecycle action result must be CONTINUE or ABANDON.")
    wanted = (asked.get("InstanceId"), asked.get("LifecycleActionToken"))
    for state in group.instance_states:
        waits = state.lifecycle_state == WAITING and _hook(group) and _hook(group).name == hook
        if waits and (state.instance.id == wanted[0] or state._token == wanted[1]):
            _complete(group, state, said)
            return
    raise AutoscalingClientError(
        "ValidationError",
        f"No active Lifecycle Action found with instance ID {wanted[0]} or token {wanted[1]}",
    )


def describe_scaling_activities(backend: Any, asked: Json) -> Json:
    return {"Activities": _activities(group_of(backend, asked)) if "AutoScalingGroupName" in asked else []}


def put_lifecycle_hook(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    answer = moto()
    hook = backend.lifecycle_hooks[f"{asked['AutoScalingGroupName']}_{asked['LifecycleHookName']}"]
    hook.role_arn = asked.get("RoleARN")
    hook.notification_target_arn = asked.get("NotificationTargetARN")
    hook.notification_metadata = asked.get("NotificationMetadata")
    return answer


def _outcome(group: Any, state: Any) -> str:
    """How the set-up of an instance ends: as it was to end, if the instance reaches what it needs, and may."""
    why = setup_network.unreachable(state.instance)
    why = why or host_roles.set_up_refused(state.instance, group, user_data(state.instance) or "")
    if why and state._result == "CONTINUE":
        sys.stderr.write(f"autoscaling: the set-up of {state.instance.id} fails: {why}\n")
        return "ABANDON"
    return str(state._result)


def _tick(now: float) -> None:
    for regions in list(autoscaling_backends.values()):
        for backend in list(regions.values()):
            for group in list(backend.autoscaling_groups.values()):
                for state in list(group.instance_states):
                    if state.lifecycle_state == WAITING and state._due <= now:
                        _complete(group, state, _outcome(group, state))


def install() -> None:
    """Put it into moto's Auto Scaling, after `ec2_autoscaling`."""
    table: dict[str, actions.Action] = {
        "CompleteLifecycleAction": complete_lifecycle_action,
        "DescribeScalingActivities": describe_scaling_activities,
    }
    actions.add(Response, "autoscaling_backend", table)
    actions.wrap(Response, "autoscaling_backend", {"PutLifecycleHook": put_lifecycle_hook})
    launch = FakeAutoScalingGroup.replace_autoscaling_group_instances
    delete = AutoScalingBackend.delete_auto_scaling_group

    def replace_autoscaling_group_instances(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
        before = list(self.instance_states)
        try:
            launch(self, count_needed, propagated_tags)
        except EC2ClientError as error:
            if error.code != VCPUS:
                raise
            said = f"{error.message} Launching EC2 instance failed."
            _note(self, "Launching a new EC2 instance", datetime.now(UTC), "Failed", said)
        if hook := _hook(self):
            for state in self.instance_states:
                if state not in before:
                    _wait(self, state, hook)

    def active_instances(self: Any) -> list[Any]:
        # Those that wait count: else every change of the group would start more.
        return [state for state in self.instance_states if state.lifecycle_state in ("InService", WAITING)]

    def delete_auto_scaling_group(self: Any, group_name: str) -> None:
        delete(self, group_name)
        for key, hook in list(self.lifecycle_hooks.items()):
            if hook.auto_scaling_group_name == group_name:
                del self.lifecycle_hooks[key]

    FakeAutoScalingGroup.replace_autoscaling_group_instances = replace_autoscaling_group_instances
    FakeAutoScalingGroup.active_instances = active_instances
    AutoScalingBackend.delete_auto_scaling_group = delete_auto_scaling_group
    clock.every_request(_tick)
