"""Route 53: ids of hosted zones begin with Z, as AWS's do, and a zone can be given the id that it has elsewhere.

moto 5.2.5 begins them with any letter. LOCAL_AWS_HOSTED_ZONE_IDS (`example.org=Z0123456789,...`) tells which id the
zone of a name gets when it is made, so that a workspace that names a zone of the real AWS can be rehearsed here.
"""

from __future__ import annotations

import os
import secrets
import string
from typing import Any

from moto.route53.models import HostedZoneIdentifier

VARIABLE = "LOCAL_AWS_HOSTED_ZONE_IDS"
_LETTERS = string.ascii_uppercase + string.digits


def generate(self: Any, existing_ids: Any = None, tags: Any = None) -> str:
    """The id of a new zone."""
    pairs = (pair.partition("=") for pair in os.environ.get(VARIABLE, "").split(",") if pair)
    wanted = {name.rstrip("."): id_ for name, _, id_ in pairs}.get(self.name.rstrip("."))
    if wanted and wanted not in (existing_ids or ()):
        return wanted
    return "Z" + "".join(secrets.choice(_LETTERS) for _ in range(20))


def install() -> None:
    """Put it into moto's Route 53."""
    HostedZoneIdentifier.generate = generate
