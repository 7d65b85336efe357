"""Application Auto Scaling: tags of scalable targets, and policies that go with their target.

moto 5.2.5 lacks TagResource, UntagResource and ListTagsForResource, and drops the tags of RegisterScalableTarget,
which Terraform reads after every change. DeregisterScalableTarget leaves the target's policies and their
alarms behind; AWS deletes them. Nothing scales here: a policy is kept, no metric moves it.
"""

from __future__ import annotations

import json
from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse as Response
from moto.core.exceptions import JsonRESTError


def _target(self: Any) -> Any:
    arn = self._get_param("ResourceARN")
    for targets in self.applicationautoscaling_backend.targets.values():
        for target in targets.values():
            if target.arn == arn:
                return target
    raise JsonRESTError("ResourceNotFoundException", f"No scalable target found for resource ARN {arn}.")


def _tags(target: Any) -> dict[str, str]:
    if not hasattr(target, "_local_tags"):
        target._local_tags = {}
    return target._local_tags  # type: ignore[no-any-return]


def list_tags_for_resource(self: Any) -> str:
    return json.dumps({"Tags": _tags(_target(self))})


def tag_resource(self: Any) -> str:
    _tags(_target(self)).update(self._get_param("Tags") or {})
    return "{}"


def untag_resource(self: Any) -> str:
    tags = _tags(_target(self))
    for key in self._get_param("TagKeys") or []:
        tags.pop(key, None)
    return "{}"


def install() -> None:
    """Put the actions into moto's Application Auto Scaling."""
    for action in (list_tags_for_resource, tag_resource, untag_resource):
        setattr(Response, action.__name__, action)
    register, deregister = Response.register_scalable_target, ApplicationAutoscalingBackend.deregister_scalable_target

    def register_scalable_target(self: Any) -> str:
        answer = register(self)
        backend = self.applicationautoscaling_backend
        target = backend.targets[self._get_param("ScalableDimension")][self._get_param("ResourceId")]
        _tags(target).update(self._get_param("Tags") or {})
        return str(answer)

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

    Response.register_scalable_target = register_scalable_target
    ApplicationAutoscalingBackend.deregister_scalable_target = deregister_scalable_target
