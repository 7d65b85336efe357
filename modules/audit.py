"""Declare, beside a resource, that a checkov check does not apply to it and why.

The reason goes into the resource's `//` comment in the synthesised JSON. `make audit` matches the
declarations with checkov's findings: an undeclared finding fails, and so does a declaration that
nothing needs any more.
"""

from __future__ import annotations

from cdktf import TerraformDataSource, TerraformResource, TerraformStack

COMMENT_KEY = "checkov_skips"


def skip(resource: TerraformResource | TerraformDataSource, **reasons: str) -> None:
    """Skip checks on `resource`: `skip(bucket, CKV_AWS_144="images are not here")`.

    Raises:
        ValueError: a reason is missing.
    """
    for check, reason in reasons.items():
        if not reason.strip():
            raise ValueError(f"{check} is skipped without a reason; give one")
        comment = f"//.{COMMENT_KEY}.{check}"
        if isinstance(resource, TerraformDataSource):
            # A data source's own override of its comment is lost: CDKTF writes the comment afterwards.
            where = f"data.{resource.terraform_resource_type}.{resource.friendly_unique_id}"
            TerraformStack.of(resource).add_override(f"{where}.{comment}", reason)
        else:
            resource.add_override(comment, reason)
