"""What the role of an EC2 instance's profile lets its agents and its user data do.

The agent of ECS registers the instance, polls for tasks and tells how they fare (ECS Developer Guide, "Amazon ECS
container instance IAM role"); that of Systems Manager registers it for Session Manager, and an instance works without.
User data is searched, not executed: the file systems that it mounts with `iam`, the lifecycle action that it completes
by `aws autoscaling complete-lifecycle-action`, and the log groups it names where it calls `aws logs put-log-events`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from moto.efs.models import efs_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.utilities.utils import get_partition

from local_aws import efs_access
from local_aws.rights import acting
from local_aws.rights.needs import Call, Need
from local_aws.rights.needs_ways import log_group

SERVICE = "ec2.amazonaws.com"

_CHANNELS = ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel")
_FILE_SYSTEM = re.compile(r"\bfs-[0-9a-f]{8,17}\b")
_POINT = re.compile(r"\bfsap-[0-9a-f]{8,17}\b")


def role_of(instance: Any) -> str | None:
    """The ARN of the role whose credentials programs on it get; None where there is none."""
    ec2 = instance.ec2_backend
    iam = iam_backends[ec2.account_id][get_partition(ec2.region_name)]
    name = _profile(instance).rpartition("/")[2]
    found = next((each for each in iam.instance_profiles.values() if each.name == name), None)
    if found is None or not found.roles:
        return None
    arn = str(found.roles[0].arn)
    return None if acting.untrusted(arn, SERVICE, ec2.region_name, {}) else arn


def _profile(instance: Any) -> str:
    """The name or the ARN of its instance profile, by itself, by its launch template or its launch configuration."""
    associations = instance.ec2_backend.iam_instance_profile_associations
    if association := associations.get(instance.id):
        return str(association.iam_instance_profile.arn)
    group: Any = getattr(instance, "autoscaling_group", None)
    template: Any = getattr(group, "ec2_launch_template", None)
    given = instance.iam_instance_profile
    if template is not None:
        given = template.get_version(group.launch_template_version).data.get("IamInstanceProfile") or given
    given = given or getattr(getattr(group, "launch_config", None), "instance_profile_name", None) or ""
    return str(given if isinstance(given, str) else given.get("Arn") or given.get("Name") or "")


def _where(instance: Any) -> Call:
    ec2 = instance.ec2_backend
    return Call("ec2", "", {}, ec2.account_id, ec2.region_name, get_partition(ec2.region_name))


def joins(instance: Any, cluster: str) -> bool:
    """Whether the agent of ECS may register the instance with a cluster, and poll for tasks."""
    where, role = _where(instance), role_of(instance)
    if role is None:
        return False
    arn = where.arn(f"ecs:cluster/{cluster}")
    context = {"ecs:cluster": arn}
    itself = where.arn(f"ecs:container-instance/{cluster}/{instance.id}")
    needs = [
        Need("ecs:DiscoverPollEndpoint", "*"),
        Need("ecs:RegisterContainerInstance", arn),
        Need("ecs:Poll", itself, context),
        Need("ecs:StartTelemetrySession", itself, context),
    ]
    if acting.refusal(role, instance.id, where.region, needs) is not None:
        return False
    _register_for_sessions(instance, role)
    return True


def tells(instance: Any, cluster: str, *, own_interface: bool) -> str | None:
    """Why the agent cannot tell ECS that a task has started; None if it can."""
    where, role = _where(instance), role_of(instance)
    if role is None:
        return "the instance has no role"
    arn = where.arn(f"ecs:cluster/{cluster}")
    changes = ["SubmitTaskStateChange", "SubmitContainerStateChange"]
    changes += ["SubmitAttachmentStateChanges"] if own_interface else []
    refused = acting.refusal(role, instance.id, where.region, [Need(f"ecs:{each}", arn) for each in changes])
    return refused.message if refused else None


def _register_for_sessions(instance: Any, role: str) -> None:
    where = _where(instance)
    needs = [Need("ssm:UpdateInstanceInformation", where.arn(f"ec2:instance/{instance.id}"))]
    needs += [Need(f"ssmmessages:{each}", "*") for each in _CHANNELS]
    acting.refusal(role, instance.id, where.region, needs)


def set_up_refused(instance: Any, group: Any, text: str) -> str | None:
    """Why the set-up that user data describes fails for want of a right; None if it does not."""
    where, role = _where(instance), role_of(instance)
    if role is None:
        return "the instance has no role" if "complete-lifecycle-action" in text else None
    _register_for_sessions(instance, role)
    acting.refusal(role, instance.id, where.region, _logs(where, instance, text))
    if why := next(_mounts(where, instance, role, text), None):
        return why
    if "complete-lifecycle-action" in text:
        need = Need("autoscaling:CompleteLifecycleAction", str(group.arn))
        if refused := acting.refusal(role, instance.id, where.region, [need]):
            return refused.message
    return None


def _logs(where: Call, instance: Any, text: str) -> Iterator[Need]:
    if "put-log-events" not in text:
        return
    for name in logs_backends[where.account][where.region].groups:
        if re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w/.-])", text):
            for each in ("CreateLogStream", "PutLogEvents"):
                yield Need(f"logs:{each}", log_group(where, name) + str(instance.id))


def _mounts(where: Call, instance: Any, role: str, text: str) -> Iterator[str]:
    """The file systems that are mounted with IAM, of which each line of the user data names the access point."""
    efs = efs_backends[where.account][where.region]
    points = set(_POINT.findall(text))
    for name in sorted(set(_FILE_SYSTEM.findall(text))):
        system = efs.file_systems_by_id.get(name)
        if system is None:
            continue
        own = [each for each in points if getattr(efs.access_points.get(each), "file_system_id", None) == name]
        keys = {"elasticfilesystem:accessedviamounttarget": "true"}
        if own:
            keys["elasticfilesystem:accesspointarn"] = efs.access_points[own[0]].access_point_arn
        if re.search(r"\biam\b", text):
            request = efs_access.Request(where.account, where.partition, where.region, SERVICE, role, keys, instance.id)
            granted = efs_access.grants(request, system)
        else:
            granted = efs_access.anonymous(where.account, where.region, where.partition, system)
        if not granted.mount:
            yield f"mount.nfs4: access denied by server while mounting {name}"
