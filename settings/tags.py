"""What AWS takes as tags, so that a deployment does not end at the first service that is stricter than the others.

The limits are those of botocore's models for the services that get a workspace's tags (`tests/settings/test_tags.py`
compares).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator

from settings.text import yaml_value

OWN = ("Workspace", "Project", "Stack", "ManagedBy", "Name")
"""Tags that this program sets itself, so that every resource tells whose it is; IAM knows no upper and lower case."""
MARKS = "_.:/=+-@"
KEY_CHARACTERS = 128
VALUE_CHARACTERS = 256
# Of DataSync, which knows ASCII alone, and no @ in a key.
DATASYNC_KEY = r"[a-zA-Z0-9\s+=._:/-]+"
DATASYNC_VALUE = r"[a-zA-Z0-9\s+=._:@/-]*"
# AWS takes 50 on a resource; the rest is for our own and for AWS's.
MOST = 40


def _key(key: str) -> str:
    if not 1 <= len(key) <= KEY_CHARACTERS or not _allowed(key):
        raise ValueError(f"{_rule('the tag', key)}, 1 to {KEY_CHARACTERS} characters in all")
    if key.lower().startswith("aws:"):
        raise ValueError(f"the tag {key} begins with aws:, which AWS keeps to itself; choose another name")
    if own := next((each for each in OWN if each.lower() == key.lower()), None):
        raise ValueError(
            f"the tag {key} is set by this program as {own}, and IAM takes them for one; choose another name"
        )
    return key


def _value(value: str) -> str:
    if len(value) > VALUE_CHARACTERS or not _allowed(value):
        raise ValueError(f"{_rule('the value of a tag', value)}, up to {VALUE_CHARACTERS} characters in all")
    return value


def _rule(what: str, text: str) -> str:
    return f"{what} {yaml_value(text)} is not one that AWS takes; give letters, digits, spaces and {' '.join(MARKS)}"


def _allowed(text: str) -> bool:
    r"""Whether all is in `[\p{L}\p{Z}\p{N}_.:/=+\-@]`."""
    return all(each in MARKS or unicodedata.category(each)[0] in "LZN" for each in text)


def _told_apart(tags: dict[str, str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for key in tags:
        if (other := seen.setdefault(key.lower(), key)) != key:
            raise ValueError(
                f"the tags {other} and {key} differ in upper and lower case only, and IAM takes them for one; leave "
                "one of the two out"
            )
    return tags


def not_for_datasync(tags: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each tag that DataSync refuses and other services take."""
    for key, value in tags.items():
        if not (re.fullmatch(DATASYNC_KEY, key) and re.fullmatch(DATASYNC_VALUE, value)):
            yield (
                f"the tag {yaml_value(key)}: {yaml_value(value)} is refused by DataSync, which takes the letters a to "
                "z, digits, spaces and + = . _ : / -, and @ in a value only; change it, or leave datasync out"
            )


TagKey = Annotated[str, AfterValidator(_key)]
TagValue = Annotated[str, AfterValidator(_value)]
Tags = Annotated[dict[TagKey, TagValue], AfterValidator(_told_apart)]
