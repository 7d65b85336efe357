"""Where resources are made, and the ARNs that follow from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Account:
    """An AWS account in a region; `partition` is `aws`, `aws-cn` or `aws-us-gov`."""

    id: str
    region: str
    partition: str = "aws"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a regional resource, for instance `arn("logs", "log-group:/omero/*")`."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.id}:{resource}"

    @property
    def root(self) -> str:
        """The principal that hands a decision to the account's own IAM policies."""
        return f"arn:{self.partition}:iam::{self.id}:root"

    def managed_policy(self, name: str) -> str:
        """The ARN of a policy that AWS manages, with its path: `service-role/...`."""
        return f"arn:{self.partition}:iam::aws:policy/{name}"
