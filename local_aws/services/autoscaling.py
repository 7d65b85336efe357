"""Application Auto Scaling: tags of scalable targets, and policies that go with their target.

moto 5.2.5 lacks TagResource, UntagResource and ListTagsForResource, and drops the tags of RegisterScalableTarget,
which Terraform reads after every change. DeregisterScalableTarget leaves the target's policies and their
alarms behind; AWS deletes them. Nothing scales here: a policy is kept, no metric moves it.
"""

from __future__ import annotations

from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response
from moto.core.exceptions import JsonRESTError

from local_aws import actions

Json = dict[str, Any]


def _target(backend: Any, asked: Json) -> Any:
    arn = asked["ResourceARN"]
    for targets in backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target
    raise JsonRESTError("ResourceNotFoundException", f"No scalable target found for resource ARN {arn}.")


def _tags(target: Any) -> dict[str, str]:
    if not hasattr(target, "_local_tags"):
        target._local_tags = {}
    return target._local_tags  # type: ignore[no-any-return]


def list_tags_for_resource(backend: Any, asked: Json) -> Json:
    return {"Tags": _tags(_target(backend, asked))}


def tag_resource(backend: Any, asked: Json) -> None:
    _tags(_target(backend, asked)).update(asked.get("Tags") or {})


def untag_resource(backend: Any, asked: Json) -> None:
    tags = _tags(_target(backend, asked))
    for key in asked.get("TagKeys") or []:
        tags.pop(key, None)


def register_scalable_target(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    answer = moto()
    _tags(backend.targets[asked["ScalableDimension"]][asked["ResourceId"]]).update(asked.get("Tags") or {})
    return answer


def install() -> None:
    """Put the actions into moto's Application Auto Scaling."""
    table: dict[str, actions.Action] = {
        "ListTagsForResource": list_tags_for_resource,
        "TagResource": tag_resource,
        "UntagResource": untag_resource,
    }
    actions.add(Response, "applicationautoscaling_backend", table)
    actions.wrap(Response, "applicationautoscaling_backend", {"RegisterScalableTarget": register_scalable_target})
    deregister = ApplicationAutoscalingBackend.deregister_scalable_target

    def deregister_scalable_target(self: Any, namespace: str, r_id: str, dimension: str) -> None:
        deregister(self, namespace, r_id, dimension)
        for key, policy in list(self.policies.items()):
            if (policy.service_namespace, policy.resource_id, policy.scalable_dimension) == (
                namespace,
                r_id,
                dimension,
            ):
                policy.delete_alarms(self.account_id, self.region_name)
                del self.policies[key]

    ApplicationAutoscalingBackend.deregister_scalable_target = deregister_scalable_target
