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

    def kms_via(self, service: str) -> dict[str, dict[str, str]]:
        """The condition that KMS is asked by a service, for whoever called that.

        In China, some services call themselves by the suffix of there.
        """
        via = f"{service}.{self.region}.amazonaws.com"
        if self.partition == "aws-cn":
            return {"StringLike": {"kms:ViaService": f"{via}*"}}
        return {"StringEquals": {"kms:ViaService": via}}

    @property
    def logs(self) -> str:
        """CloudWatch Logs as a principal of a key's policy: AWS's provider has its name in China from AWS CDK."""
        suffix = ".cn" if self.partition == "aws-cn" else ""
        return f"logs.{self.region}.amazonaws.com{suffix}"

    @property
    def root(self) -> str:
        """The principal that hands a decision to the account's own IAM policies."""
        return f"arn:{self.partition}:iam::{self.id}:root"

    def managed_policy(self, name: str) -> str:
        """The ARN of a policy that AWS manages, with its path: `service-role/...`."""
        return f"arn:{self.partition}:iam::aws:policy/{name}"
