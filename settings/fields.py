"""Field types that several settings share: each refuses a bad value with the value and the rule."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from settings.paths import DATA_DIR, OWN_FOLDERS

# CloudWatch Logs accepts these and no others (API reference of PutRetentionPolicy).
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip

REGION_PATTERN = r"[a-z]{2,4}(-[a-z]+)+-\d"

# An access point's path has up to 100 characters and four folders (EFS API reference, RootDirectory).
FOLDER_CHARACTERS = 100
FOLDER_PATTERN = rf"{DATA_DIR}(/[A-Za-z0-9_][A-Za-z0-9_.-]*){{1,3}}"


class Settings(BaseModel):
    """Base of every section: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def listed(values: Any) -> str:
    """`a, b or c`, for messages."""
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _text(value: Any) -> Any:
    if isinstance(value, int):
        raise ValueError(f"YAML reads this as the number {value}; put it in quotes")
    return value


def _account_id(value: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", value):
        raise ValueError(f"{value} is no AWS account id; it has 12 digits, in quotes")
    return value


def _region(value: str) -> str:
    if not re.fullmatch(REGION_PATTERN, value):
        raise ValueError(f"{value} is no AWS region; one looks like eu-west-1")
    return value


def _network(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{value} is no IPv4 CIDR block ({error}); one looks like 192.0.2.0/24") from None
    return str(network)


def _domain_name(value: str) -> str:
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if len(value) > 64 or not re.fullmatch(rf"{label}(\.{label})+", value):
        raise ValueError(
            f"{value} is no full domain name of up to 64 lower-case characters (a certificate takes no more); "
            "one looks like omero.example.org"
        )
    return value


def _retention(value: int) -> int:
    if value not in LOG_RETENTION_DAYS:
        raise ValueError(f"{value} days is not offered by CloudWatch; allowed: {listed(LOG_RETENTION_DAYS)}")
    return value


def _sha256(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError(f"{value} is no SHA-256; it has 64 lower-case hex digits, as `sha256sum` prints it")
    return value


def _pinned_image(value: str) -> str:
    name, _, digest = value.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ValueError(f"{value} has a malformed digest; one looks like image@sha256:<64 hex digits>")
    if not digest and tag in ("", "latest"):
        raise ValueError(f"{value} is not pinned; give a version tag (image:5.6.16-2) or a digest")
    return value


def _omero_folder(value: str) -> str:
    if not re.fullmatch(FOLDER_PATTERN, value) or len(value) > FOLDER_CHARACTERS:
        raise ValueError(
            f"{value} is no folder that can be used: one to three folders of letters, digits and _ . - below /OMERO, "
            f"{FOLDER_CHARACTERS} characters in all; one looks like /OMERO/DropZone"
        )
    if (first := value.split("/")[2]) in OWN_FOLDERS:
        raise ValueError(
            f"{value} is in /OMERO/{first}, where OMERO keeps files of its own; one that is free is /OMERO/DropZone"
        )
    return value


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise ValueError(f"{value} is no e-mail address; one looks like imaging@example.org")
    return value


# The patterns are for editors only: the validators refuse with a better sentence.
AccountId = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(_account_id),
    Field(json_schema_extra={"pattern": "^[0-9]{12}$"}),
]
"""Twelve digits, as text (a leading zero would be lost in a number)."""

Region = Annotated[str, AfterValidator(_region), Field(json_schema_extra={"pattern": f"^{REGION_PATTERN}$"})]

Cidr = Annotated[str, AfterValidator(_network)]
"""An IPv4 CIDR block whose host bits are zero."""

DomainName = Annotated[str, AfterValidator(_domain_name)]
"""A fully qualified domain name, without the final dot."""

RetentionDays = Annotated[int, AfterValidator(_retention)]

PinnedImage = Annotated[str, AfterValidator(_pinned_image)]
"""A container image with a version tag or a digest; never `latest`."""

BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")]
"""S3's rules, without dots (a dot breaks TLS to the bucket's own host name)."""

OmeroFolder = Annotated[str, AfterValidator(_omero_folder)]
"""A folder for images below /OMERO, apart from what OMERO keeps there itself; the same path in EFS and in OMERO."""

Sha256 = Annotated[str, AfterValidator(_sha256)]
Email = Annotated[str, AfterValidator(_email)]
