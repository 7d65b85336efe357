"""Where a workspace's AppStream is: its names, its client, and whose a thing is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from contract import names
from scripts import aws
from scripts.changes import Changes
from scripts.errors import Failed, Refused
from scripts.ingest.deployment import Opened
from settings.appstream import AppStream

Json = dict[str, Any]

# AppStream's own words on these: wait, and try again.
RETRIED = ("ConcurrentModificationException", "ResourceNotAvailableException", "RequestLimitExceededException")
ATTEMPTS = 8
FIRST_PAUSE = 1.0  # seconds; each is twice the one before, all together some two minutes
MANAGED_BY = "omero-aws appstream"


@dataclass(frozen=True, kw_only=True)
class Place:
    """The AppStream of one workspace. `settings` is its section; `changes` are those of this run."""

    opened: Opened
    settings: AppStream
    changes: Changes

    @cached_property
    def client(self) -> Any:
        """boto3's AppStream client."""
        return self.opened.client("appstream")

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be changed."""
        return self.changes.dry_run

    @property
    def workspace(self) -> str:
        """Its name."""
        return self.opened.workspace.name

    @property
    def region(self) -> str:
        """The region of all of it."""
        return self.opened.workspace.region

    @property
    def name(self) -> str:
        """Of the fleet, the stack and the application; what app blocks' and builders' names begin with."""
        return names.physical("appstream", self.workspace, "insight")

    @property
    def bucket(self) -> str:
        """The bucket of archive, script and icon."""
        workspace = self.opened.workspace
        return names.bucket(workspace.name, "appstream", workspace.account_id, workspace.region)

    @property
    def tags(self) -> dict[str, str]:
        """On all that is made here; `ManagedBy` tells it from what Terraform makes."""
        return {**self.opened.tags, "ManagedBy": MANAGED_BY}

    def arn(self, kind: str, name: str) -> str:
        """Of a fleet, a stack and so on of this account."""
        return self.opened.arn("appstream", f"{kind}/{name}")

    def find(self, what: str, call: Callable[..., Any], key: str, **arguments: Any) -> Json | None:
        """The one thing that a Describe action tells of; None if there is none.

        Raises:
            Refused: it is there, and not of this workspace. `what` it is goes into the sentence.
        """
        try:
            found = call(**arguments)[key]
        except ClientError as error:
            if aws.code_of(error) == "ResourceNotFoundException":
                return None
            raise
        tags = self.tags_of(found[0]["Arn"]) if found else None
        if tags is None:
            return None
        if not self.owns(tags):
            raise Refused(
                f"the name of {what} is in use in {self.region} by something that was not made for workspace "
                f"{self.workspace} (it has no tags Workspace: {self.workspace} and ManagedBy: {MANAGED_BY}); delete or "
                "rename it, or give the workspace another name."
            )

        return dict(found[0])

    def tags_of(self, arn: str) -> dict[str, str] | None:
        """The tags of something of AppStream's; None if it is gone by now."""
        try:
            return dict(self.client.list_tags_for_resource(ResourceArn=arn).get("Tags", {}))
        except ClientError as error:
            if aws.code_of(error) == "ResourceNotFoundException":
                return None
            raise

    def owns(self, tags: dict[str, str]) -> bool:
        """Whether tags say that a thing was made here, for this workspace."""
        return all(tags.get(key) == self.tags[key] for key in ("Workspace", "ManagedBy"))

    def insist(self, call: Callable[..., Any], *also: str, **arguments: Any) -> Any:
        """Make a call that changes something; again for two minutes while AppStream says that it is not ready.

        `also`: more error codes that pass by themselves.

        Raises:
            Failed: a quota of the account is reached.
        """
        pause = FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return call(**arguments)
            except ClientError as error:
                code = aws.code_of(error)
                if code == "LimitExceededException":
                    raise Failed(self._quota(error, arguments)) from error
                if code not in (*RETRIED, *also) or attempt == ATTEMPTS:
                    raise
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable")

    def _quota(self, error: ClientError, arguments: Json) -> str:
        said = error.response["Error"].get("Message", "").rstrip(".")
        instance_type = arguments.get("InstanceType") or self.settings.fleet.instance_type
        return (
            f"{error.operation_name} goes beyond a quota of account {self.opened.workspace.account_id} in "
            f"{self.region} ({said}); for instances of {instance_type} a new account may have a quota of 0: ask for "
            "more under Service Quotas, Amazon AppStream 2.0 (WorkSpaces Applications), or choose another "
            "appstream.fleet.instance_type or fewer sessions, and run this again."
        )

    def pages(self, call: Callable[..., Any], key: str, **arguments: Any) -> list[Any]:
        """All that a Describe or List action tells of; botocore has no paginators for some of them."""
        rows: list[Any] = []
        while True:
            answer = call(**arguments)
            rows += answer.get(key, [])
            if not answer.get("NextToken"):
                return rows
            arguments["NextToken"] = answer["NextToken"]

    def differences(self, found: Json, wanted: Json) -> Json:
        """What of `wanted` is otherwise in `found`."""
        return {key: value for key, value in wanted.items() if found.get(key) != value}
