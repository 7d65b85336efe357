"""Where a workspace's AppStream is: its names, its client, and whose a thing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from contract import names
from scripts import aws
from scripts.changes import Changes
from scripts.errors import Failed, Refused
from scripts.ingest.deployment import DeployedWorkspace
from settings.appstream import AppStream

Json = dict[str, Any]

# AppStream's own words on these: wait, and try again.
RETRIED = (
    "ConcurrentModificationException",
    "RequestLimitExceededException",
    "ResourceNotAvailableException",
    # Of the first fleet or builder of an account too: IAM takes a while to spread a new role.
    "InvalidRoleException",
)
RETRY_SECONDS = 120.0
MANAGED_BY = "omero-aws appstream"


@dataclass(frozen=True, kw_only=True)
class AppStreamContext:
    """The AppStream of one workspace. `settings` is its section; `changes` are those of this run."""

    deployment: DeployedWorkspace
    settings: AppStream
    changes: Changes

    @cached_property
    def client(self) -> Any:
        """boto3's AppStream client."""
        return self.deployment.client("appstream")

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be changed."""
        return self.changes.dry_run

    @property
    def workspace(self) -> str:
        """Its name."""
        return self.deployment.workspace.name

    @property
    def region(self) -> str:
        """The region of all of it."""
        return self.deployment.workspace.region

    @property
    def name(self) -> str:
        """Of the fleet, the stack and the application; what app blocks' and builders' names begin with."""
        return names.physical("appstream", self.workspace, "insight")

    @property
    def bucket(self) -> str:
        """The bucket of archive, script and icon."""
        workspace = self.deployment.workspace
        return names.bucket(workspace.name, "appstream", workspace.account_id, workspace.region)

    @property
    def tags(self) -> dict[str, str]:
        """On all that is made here; `ManagedBy` tells it from what Terraform makes."""
        return {**self.deployment.tags, "ManagedBy": MANAGED_BY}

    def arn(self, kind: str, name: str) -> str:
        """Of a fleet, a stack and so on of this account."""
        return self.deployment.arn("appstream", f"{kind}/{name}")

    def find(self, what: str, call: Callable[..., Any], key: str, **arguments: Any) -> Json | None:
        """The one thing that a Describe action tells of; None if there is none.

        Raises:
            Refused: it is there, and not of this workspace. `what` it is goes into the sentence.
        """
        found = aws.read(lambda: call(**arguments)[key], "ResourceNotFoundException")
        tags = self.tags_of(found[0]["Arn"]) if found else None
        if tags is None:
            return None
        if not self.owns(tags):
            raise Refused(
                f"the name of {what} is in use in {self.region} by a resource that was not created for workspace "
                f"{self.workspace} (it has no tags Workspace: {self.workspace} and ManagedBy: {MANAGED_BY}); delete or "
                "rename it, or give the workspace another name."
            )

        return dict(found[0])

    def tags_of(self, arn: str) -> dict[str, str] | None:
        """The tags of something of AppStream's; None if it is gone by now."""
        answer = aws.read(lambda: self.client.list_tags_for_resource(ResourceArn=arn), "ResourceNotFoundException")
        return None if answer is None else dict(answer.get("Tags", {}))

    def owns(self, tags: dict[str, str]) -> bool:
        """Whether tags say that a thing was made here, for this workspace."""
        return all(tags.get(key) == self.tags[key] for key in ("Workspace", "ManagedBy"))

    def retry(self, call: Callable[..., Any], *also: str, **arguments: Any) -> Any:
        """Make a call that changes something; again for two minutes while AppStream says that it is not ready.

        `also`: more error codes that pass by themselves.

        Raises:
            Failed: a quota of the account is reached.
        """
        try:
            return aws.retry(lambda: call(**arguments), (*RETRIED, *also), seconds=RETRY_SECONDS)
        except ClientError as error:
            if aws.code_of(error) == "LimitExceededException":
                raise Failed(self._quota(error, arguments)) from error
            raise

    def _quota(self, error: ClientError, arguments: Json) -> str:
        said = error.response["Error"].get("Message", "").rstrip(".")
        instance_type = arguments.get("InstanceType") or self.settings.fleet.instance_type
        return (
            f"{error.operation_name} exceeds a quota of account {self.deployment.workspace.account_id} in "
            f"{self.region} ({said}); for instances of {instance_type} a new account may have a quota of 0: "
            "request an increase under Service Quotas, Amazon AppStream 2.0 (WorkSpaces Applications), or choose "
            "another appstream.fleet.instance_type or fewer sessions, and run this again."
        )

    def rows(self, operation: str, key: str, **arguments: Any) -> list[Any]:
        """All that a Describe or List operation of AppStream's tells of."""
        return list(aws.rows(self.client, operation, key, **arguments))

    def differences(self, found: Json, wanted: Json) -> Json:
        """What of `wanted` is otherwise in `found`."""
        return {key: value for key, value in wanted.items() if found.get(key) != value}
