"""What a rehearsal tells of rights: calls that were refused make it fail, and rights that nobody used are listed."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from scripts.errors import Failed

Usage = Mapping[str, Mapping[str, Any]]


def take(environ: Mapping[str, str]) -> Usage:
    """What the local AWS tells, for each role by its ARN."""
    with urllib.request.urlopen(f"{environ['AWS_ENDPOINT_URL']}/_local/iam/usage", timeout=60) as answer:  # noqa: S310
        found: Usage = json.load(answer)
    return found


def check(usage: Usage) -> None:
    """Fail for calls that were refused, also where a program went on all the same.

    Raises:
        Failed: a role or an operator lacks a right that it has asked for.
    """
    refused = [each["message"] for told in usage.values() for each in told["refused"]]
    if refused:
        raise Failed(f"rights are missing: {'; '.join(sorted(refused))}.")


def unused(usage: Usage) -> dict[str, list[str]]:
    """The granted actions that no call used, by the role's name; roles that used all of theirs are left out.

    An action that one statement grants and uses is not listed for another.
    """
    found = {}
    for arn, told in usage.items():
        used = {each["action"] for each in told["used"]}
        actions = sorted({each["action"] for each in told["unused"]} - used)
        if actions:
            found[arn.partition(":role/")[2] or arn] = actions
    return found
