"""Field types that several settings share: each refuses a bad value with the value and the rule."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from settings import regions
from settings.paths import DATA_DIR, OWN_FOLDERS
from settings.text import yaml_value

# CloudWatch Logs accepts these and no others (API reference of PutRetentionPolicy).
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip

REGION_PATTERN = r"[a-z]{2,4}(-[a-z]+)+-\d"

# An access point's path has up to 100 characters and four folders (EFS API reference, RootDirectory).
FOLDER_CHARACTERS = 100
FOLDER_PATTERN = rf"{DATA_DIR}(/[A-Za-z0-9_][A-Za-z0-9_.-]*){{1,3}}"


Fault = tuple[str, str]
"""A key of the section, with dots below it (`sources.1.bucket`), and a sentence about its value, without full stop."""

Entry = TypeVar("Entry")
Check = TypeVar("Check", bound=Callable[[Any], Iterable[Fault]])


def rule(check: Check) -> Check:
    """Mark a method of a section as a rule that ties several keys together; it gives the faults it finds.

    It runs when all that it reads was accepted, whatever is wrong elsewhere: a key that was refused is missing from
    the section then, and to read it ends this rule alone. So each rule reads what it needs and no more. A list is there
    with None for each entry that was refused; `accepted` goes over the others.
    """
    check._is_rule = True  # type: ignore[attr-defined]
    return check


class Settings(BaseModel):
    """Base of every section: frozen, an unknown key is an error, and its rules hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def at(self, path: str) -> Any:
        """The value below this section at a path such as `tls.certificate_arn`; None if it, or a section above it, is
        left out or was refused."""
        value: Any = self
        for part in path.split("."):
            value = getattr(value, part, None)
        return value

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        raise_faults(type(self), (fault for check in rules(type(self)) for fault in check(self)))
        return self


@cache
def rules(model: type[Settings]) -> tuple[Callable[[Settings], Iterable[Fault]], ...]:
    """The methods of a section marked as `rule`, in order."""
    members = (member for base in reversed(model.__mro__) for member in vars(base).values())
    return tuple(member for member in members if getattr(member, "_is_rule", False))


def raise_faults(model: type[BaseModel], faults: Iterable[Fault]) -> None:
    """Raise pydantic's error with every fault at its own key; nothing if there is none.

    Raises:
        ValidationError: there is a fault.
    """
    lines = [
        InitErrorDetails(
            type=PydanticCustomError("rule", "{sentence}", {"sentence": sentence}),
            loc=tuple(int(part) if part.isdecimal() else part for part in key.split(".")),
            input=None,
        )
        for key, sentence in faults
    ]
    if lines:
        raise ValidationError.from_exception_data(model.__name__, lines)


ONCE = "give it once"
"""The end of the sentence about an entry that is in a list already."""


@dataclass(frozen=True)
class Distinct:
    """Part of every list's type: no entry twice. Two are one if `same` makes the same of them."""

    same: Callable[[Any], Any] = lambda value: value

    def faults(self, values: Iterable[Any]) -> Iterator[Fault]:
        """A fault for each entry that was there before; entries that `same` refuses are no concern of this."""
        seen: list[tuple[Any, int]] = []
        for index, value in enumerate(values):
            try:
                one = self.same(value)
            except (ValueError, TypeError, AttributeError, LookupError):
                continue
            first = next((earlier for other, earlier in seen if other == one), None)
            if first is None:
                seen.append((one, index))
            else:
                shown = yaml_value(one if isinstance(value, BaseModel | dict) else value)
                yield str(index), f"{shown} is already in the list, as entry {first}; {ONCE}"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}

    def _checked(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        raise_faults(_List, self.faults(values))
        return values


class _List(BaseModel):
    """Names a list in pydantic's own rendering of an error."""


@dataclass(frozen=True)
class Like:
    """Text that fits a pattern as a whole, refused in words: `x is no <what>; one looks like <example>`."""

    pattern: str
    what: str
    example: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^{self.pattern}$"}

    def _checked(self, value: str) -> str:
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"{yaml_value(value)} is not a valid {self.what}; one looks like {self.example}")
        return value


def listed(values: Iterable[Any]) -> str:
    """`a, b or c`, for messages."""
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _text(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"YAML reads this as the number {value}; put it in quotes")
    return value


def _account_id(value: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", value):
        raise ValueError(f"{value} is not an AWS account id; give 12 digits, in quotes")
    return value


def _region(value: str) -> str:
    if fault := regions.unknown(value):
        raise ValueError(fault)
    return value


def network_of(value: str) -> str:
    """A CIDR block in its one spelling.

    Raises:
        ValueError: it is none.
    """
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{value} is not an IPv4 CIDR block ({error}); one looks like 192.0.2.0/24") from None
    return str(network)


def _domain_name(value: str) -> str:
    label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    if len(value) > 64 or not re.fullmatch(rf"{label}(\.{label})+", value):
        raise ValueError(
            f"{value} is not a full domain name of up to 64 lower-case characters (the limit of a certificate); one "
            "looks like omero.example.org"
        )
    return value


def _retention(value: int) -> int:
    if value not in LOG_RETENTION_DAYS:
        raise ValueError(
            f"{value} days is not a retention period of CloudWatch Logs; allowed: {listed(LOG_RETENTION_DAYS)}"
        )
    return value


def _sha256(value: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError(f"{value} is not a SHA-256; give 64 lower-case hex digits, as `sha256sum` prints them")
    return value


def _pinned_image(value: str) -> str:
    name, _, digest = value.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ValueError(f"{value} has a malformed digest; one looks like image@sha256:<64 hex digits>")
    if not digest and tag in ("", "latest"):
        raise ValueError(f"{value} is not pinned; give a version tag (image:5.6.18) or a digest")
    return value


def _omero_folder(value: str) -> str:
    if not re.fullmatch(FOLDER_PATTERN, value) or len(value) > FOLDER_CHARACTERS:
        raise ValueError(
            f"{value} is not allowed; give one to three folders of letters, digits and _ . - under /OMERO, "
            f"{FOLDER_CHARACTERS} characters in all, for instance /OMERO/DropZone"
        )
    if (first := value.split("/")[2]) in OWN_FOLDERS:
        raise ValueError(
            f"{value} is in /OMERO/{first}, where OMERO keeps its own files; choose another folder, for instance "
            "/OMERO/DropZone"
        )
    return value


def accepted(entries: Iterable[Entry]) -> Iterator[tuple[int, Entry]]:
    """The entries of a list with their index, for rules: one that was refused itself is None there."""
    return ((index, entry) for index, entry in enumerate(entries) if entry is not None)


def world(cidrs: Iterable[str]) -> Iterator[tuple[int, str]]:
    """The index of each range that is the whole internet, and the range."""
    return ((index, cidr) for index, cidr in accepted(cidrs) if ipaddress.IPv4Network(cidr).prefixlen == 0)


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise ValueError(f"{value} is not an e-mail address; one looks like imaging@example.org")
    return value


# The patterns are for editors only: the validators refuse with a better sentence.
AccountId = Annotated[
    str,
    BeforeValidator(_text),
    AfterValidator(_account_id),
    Field(json_schema_extra={"pattern": "^[0-9]{12}$"}),
]
"""Twelve digits, as text (a leading zero would be lost in a number)."""

Region = Annotated[str, AfterValidator(_region), Field(json_schema_extra={"enum": list(regions.ALL)})]

Cidr = Annotated[str, AfterValidator(network_of)]
"""An IPv4 CIDR block whose host bits are zero."""

DomainName = Annotated[str, AfterValidator(_domain_name)]
"""A fully qualified domain name, without the final dot."""

RetentionDays = Annotated[int, AfterValidator(_retention), Field(json_schema_extra={"enum": list(LOG_RETENTION_DAYS)})]

PinnedImage = Annotated[str, AfterValidator(_pinned_image)]
"""A container image with a version tag or a digest; never `latest`."""

BucketName = Annotated[
    str,
    Like(
        r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        "bucket name: 3 to 63 lower-case letters, digits and hyphens",
        "lab-slides",
    ),
]
"""S3's rules, without dots (a dot breaks TLS to the bucket's own host name)."""

OmeroFolder = Annotated[str, AfterValidator(_omero_folder)]
"""A folder for images below /OMERO, apart from what OMERO keeps there itself; the same path in EFS and in OMERO."""

Sha256 = Annotated[str, AfterValidator(_sha256)]
Email = Annotated[str, AfterValidator(_email)]

KeyArn = Annotated[
    str,
    Like(
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+",
        "ARN of a KMS key (not of an alias)",
        "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555",
    ),
]

SecretArn = Annotated[
    str,
    Like(
        r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:\S+",
        "ARN of a Secrets Manager secret",
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:importer-a1B2c3",
    ),
]

OmeroUser = Annotated[
    str, Like(r"[A-Za-z0-9_.@-]{1,64}", "name of an OMERO user: 1 to 64 letters, digits and _ . @ -", "importer")
]
