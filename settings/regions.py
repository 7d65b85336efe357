"""The regions that a workspace may be in: AWS has them, and stacks for each were synthesised (`tests/stacks`)."""

from __future__ import annotations

import difflib

REGIONS = {
    "aws": (
        *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
        *("ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4"),
        *("ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1"),
        *("eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2"),
        *("eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1"),
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    ),
    "aws-cn": ("cn-north-1", "cn-northwest-1"),
    "aws-us-gov": ("us-gov-east-1", "us-gov-west-1"),
}
"""By partition, as in botocore's endpoints. The isolated partitions and the European Sovereign Cloud are not among
them: nothing here was ever synthesised for their suffixes."""
ALL = tuple(region for regions in REGIONS.values() for region in regions)


def unknown(region: str) -> str | None:
    """Why a workspace cannot be in a region, in a sentence; None if it can."""
    if region in ALL:
        return None
    near = difflib.get_close_matches(region, ALL, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}?" if near else "one looks like eu-west-1"
    return f"{region} is not an AWS region that this program knows; {hint}"
