"""The actions, each a function of the backend and what was asked."""

from __future__ import annotations

import functools

from moto.core.responses import BaseResponse

from local_aws import actions
from local_aws.services.appstream import applications, fleets, images, stacks, users
from local_aws.services.appstream.models import (
    AppStreamBackend,
    AppStreamError,
    Json,
    appstream_backends,
)

_MOST_TAGS = 50


class AppStreamResponse(BaseResponse):  # type: ignore[misc]
    """One request."""

    def __init__(self) -> None:
        super().__init__(service_name="appstream")
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> AppStreamBackend:
        """Of the caller's account and region."""
        return appstream_backends[self.current_account][self.region]  # type: ignore[no-any-return]


def _tag_resource(backend: AppStreamBackend, asked: Json) -> Json:
    tags = _tags(backend, asked)
    if len({**tags, **asked["Tags"]}) > _MOST_TAGS:
        raise AppStreamError("LimitExceededException", f"A resource has at most {_MOST_TAGS} tags.")
    tags.update(asked["Tags"])
    return {}


def _untag_resource(backend: AppStreamBackend, asked: Json) -> Json:
    tags = _tags(backend, asked)
    for key in asked["TagKeys"]:
        tags.pop(key, None)
    return {}


def _list_tags_for_resource(backend: AppStreamBackend, asked: Json) -> Json:
    return {"Tags": dict(_tags(backend, asked))}


def _tags(backend: AppStreamBackend, asked: Json) -> dict[str, str]:
    return backend.tags.setdefault(backend.by_arn(asked["ResourceArn"]).arn, {})


_ACTIONS: dict[str, actions.Action] = {
    "CreateAppBlock": applications.create_app_block,
    "DescribeAppBlocks": applications.describe_app_blocks,
    "DeleteAppBlock": applications.delete_app_block,
    "CreateApplication": applications.create_application,
    "UpdateApplication": applications.update_application,
    "DescribeApplications": applications.describe_applications,
    "DeleteApplication": applications.delete_application,
    "AssociateApplicationFleet": applications.associate_application_fleet,
    "DisassociateApplicationFleet": applications.disassociate_application_fleet,
    "DescribeApplicationFleetAssociations": applications.describe_application_fleet_associations,
    "CreateFleet": fleets.create_fleet,
    "UpdateFleet": fleets.update_fleet,
    "DescribeFleets": fleets.describe_fleets,
    "DeleteFleet": fleets.delete_fleet,
    "StartFleet": fleets.start_fleet,
    "StopFleet": fleets.stop_fleet,
    "CreateStack": stacks.create_stack,
    "UpdateStack": stacks.update_stack,
    "DescribeStacks": stacks.describe_stacks,
    "DeleteStack": stacks.delete_stack,
    "AssociateFleet": stacks.associate_fleet,
    "DisassociateFleet": stacks.disassociate_fleet,
    "ListAssociatedFleets": stacks.list_associated_fleets,
    "CreateStreamingURL": stacks.create_streaming_url,
    "CreateImageBuilderStreamingURL": stacks.create_image_builder_streaming_url,
    "DescribeSessions": stacks.describe_sessions,
    "CreateUser": users.create_user,
    "DeleteUser": users.delete_user,
    "DescribeUsers": users.describe_users,
    "BatchAssociateUserStack": users.batch_associate_user_stack,
    "BatchDisassociateUserStack": users.batch_disassociate_user_stack,
    "DescribeUserStackAssociations": users.describe_user_stack_associations,
    "DescribeImages": images.describe_images,
    "DeleteImage": images.delete_image,
    "CreateImportedImage": images.create_imported_image,
    "CreateImageBuilder": images.create_image_builder,
    "DescribeImageBuilders": images.describe_image_builders,
    "StartImageBuilder": images.start_image_builder,
    "StopImageBuilder": images.stop_image_builder,
    "DeleteImageBuilder": images.delete_image_builder,
    "TagResource": _tag_resource,
    "UntagResource": _untag_resource,
    "ListTagsForResource": _list_tags_for_resource,
}


def _settle(backend: AppStreamBackend, action: str) -> None:
    images.add_base_images(backend)
    backend.settle()


actions.add(
    AppStreamResponse,
    "backend",
    _ACTIONS,
    before=_settle,
    invalid=functools.partial(AppStreamError, "ValidationException"),
)
