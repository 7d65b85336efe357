"""Terraform addresses that people can read in a plan: `aws_subnet.vpc_public_first`, without a hash."""

from __future__ import annotations

import re

MAIN = "resource"
"""Id of the resource that a module is named after: it is left out, so that the address is the module's."""


def address(path: str) -> str:
    """The name in Terraform of the construct at `path`, which begins with its stack."""
    roles = [role for role in path.split("/")[1:] if role != MAIN]
    return re.sub(r"[^A-Za-z0-9_-]+", "_", "_".join(roles))
