"""Section `appstream`: OMERO.insight in a browser, by AppStream 2.0 (WorkSpaces Applications)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from settings.fields import Distinct, DomainName, Email, Fault, Like, Settings, Sha256, listed, rule
from settings.network import SubnetId
from settings.section import ExistingBucket, Section

# Of an image of AWS's or an image builder's, and of an image that was imported from an AMI (its guide, "Import Image").
_NATIVE = r"stream\.(standard|compute|memory|graphics)(\.[a-z0-9]+)?\.[a-z0-9]+"
_IMPORTED = r"(GeneralPurpose|MemoryOptimized|ComputeOptimized|Accelerated)(\.[a-z0-9-]+)+"
# Elastic fleets take no others (API reference, CreateFleet).
ELASTIC_TYPES = tuple(f"stream.standard.{size}" for size in ("small", "medium", "large", "xlarge", "2xlarge"))
NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}"


def _instance_type(value: str) -> str:
    if not re.fullmatch(f"{_NATIVE}|{_IMPORTED}", value):
        raise ValueError(
            f"{value} is not an AppStream instance type; give one such as stream.standard.large, or "
            "GeneralPurpose.large for an image imported from an AMI"
        )
    return value


def _location(value: str) -> str:
    if "://" in value and not value.startswith("https://"):
        raise ValueError(f"{value} cannot be downloaded; give a path, or a URL that begins with https://")
    return value


def _https(value: str) -> str:
    if not re.fullmatch(r"https://[^\s/]+(/\S*)?", value):
        raise ValueError(f"{value} is not an https:// URL; one looks like https://omero.example.org/")
    return value


def _idle(value: int) -> int:
    if value != 0 and not 1 <= value <= 60:
        raise ValueError(f"{value} minutes are not allowed; give 1 to 60, or 0 for never")
    return value


InstanceType = Annotated[str, AfterValidator(_instance_type)]
Location = Annotated[str, AfterValidator(_location)]
WebAddress = Annotated[str, AfterValidator(_https), Field(max_length=1000)]


class Insight(Settings):
    """The files that OMERO.insight is packed from. Relative paths start in the folder that the command runs in."""

    archive: Location
    """Path or https:// URL of OMERO.insight's zip (`OMERO.insight-5.8.4.zip`), which contains
    `bin/omero-insight.bat`."""
    archive_sha256: Sha256
    """Its SHA-256."""
    runtime: Location
    """Path or https:// URL of a zip with a Java runtime, version 11 or later, for Windows on x64."""
    runtime_sha256: Sha256
    """Its SHA-256."""


class Fleet(Settings):
    """The instances that sessions run on."""

    type: Literal["ELASTIC", "ON_DEMAND", "ALWAYS_ON"] = "ELASTIC"
    """`ELASTIC` needs no image and costs only while people use it. `ON_DEMAND` starts instances from an image within
    two minutes; `ALWAYS_ON` keeps them running, and costs all the time."""
    instance_type: InstanceType = "stream.standard.large"
    """stream.standard.large has 2 vCPUs and 8 GiB. An Elastic fleet takes stream.standard.small, medium, large, xlarge
    and 2xlarge only."""
    image: Annotated[str, Like(NAME, "name of an AppStream image", "insight-1")] | None = None
    """For `ON_DEMAND` and `ALWAYS_ON`: the image, which `omero-aws appstream image` creates."""
    sessions: Annotated[int, Field(ge=1, le=100)] = 5
    """Maximum number of sessions at a time; each has its own instance, and an address in a private subnet."""
    session_minutes: Annotated[int, Field(ge=10, le=7200)] = 960
    """Minutes after which a session ends, whatever is running in it."""
    disconnect_minutes: Annotated[int, Field(ge=1, le=600)] = 15
    """Minutes that a session continues without its browser: imports run on until then, and stop when it ends."""
    idle_minutes: Annotated[int, AfterValidator(_idle)] = 0
    """Minutes without keyboard or mouse after which a session is disconnected; 0, the default, means never, because a
    long import needs neither."""
    subnet_ids: Annotated[tuple[SubnetId, SubnetId], Distinct()] | None = None
    """Two subnets of OMERO's VPC, in two Availability Zones; left out, the private subnets."""
    hourly_usd: Annotated[float, Field(gt=0)] | None = None
    """Price in USD of an hour of this instance type in this region, from AWS's pricing page; left out, `status` shows
    the instances but not what they cost."""

    @rule
    def _image_or_elastic(self) -> Iterator[Fault]:
        if self.type == "ELASTIC" and self.image:
            yield "image", f"{self.image} has no effect with type ELASTIC; remove it, or set type: ON_DEMAND"
        if self.type != "ELASTIC" and not self.image:
            yield "type", f"{self.type} needs an image; set image, or remove type for an Elastic fleet"

    @rule
    def _instance_type_of_elastic(self) -> Iterator[Fault]:
        if self.type == "ELASTIC" and self.instance_type not in ELASTIC_TYPES:
            yield (
                "instance_type",
                f"{self.instance_type} is not offered for an Elastic fleet; give one of {listed(ELASTIC_TYPES)}, or "
                "type: ON_DEMAND with an image",
            )


class Stack(Settings):
    """What users may do in a session, and what surrounds it."""

    home_folders: bool = True
    """Gives each user a folder in S3, where they upload images to import them."""
    clipboard_in: bool = True
    """Users may copy text from their computer into the session."""
    clipboard_out: bool = False
    """Users may copy text out of the session."""
    file_upload: bool = True
    """Users may upload files into the home folder."""
    file_download: bool = False
    """Users may download files: images would leave AWS this way."""
    printing: bool = False
    """Users may print to their own printer, or to a file."""
    redirect_url: WebAddress | None = None
    """The page that opens when a session ends; left out, AWS's own."""
    embed_domains: Annotated[tuple[DomainName, ...], Field(max_length=20), Distinct()] = ()
    """Domains whose pages may embed a session; left out, none."""


class AppStream(Section):
    """OMERO.insight in a browser: application or image, fleet, stack and users, created by `omero-aws appstream`."""

    insight: Insight | None = None
    """OMERO.insight and Java; an Elastic fleet and an image builder need them."""
    fleet: Fleet = Fleet()
    """The fleet: the instances that sessions run on, and how long a session lasts."""
    stack: Stack = Stack()
    """The stack: what users may do in a session, and what surrounds it."""
    users: Annotated[tuple[Email, ...], Field(max_length=500), Distinct(str.casefold)] = ()
    """E-mail addresses that `ensure` adds to the user pool; it removes nobody. Add others with `appstream user`."""

    @rule
    def _elastic_has_an_application(self) -> Iterator[Fault]:
        if self.fleet.type == "ELASTIC" and self.insight is None:
            yield "insight", "an Elastic fleet needs OMERO.insight; give archive and runtime with their SHA-256"

    def addresses(self) -> int:
        return 0 if self.fleet.subnet_ids else self.fleet.sessions

    def arns(self) -> dict[str, str | None]:
        return {}

    def folders(self) -> dict[str, str]:
        return {}

    def buckets(self) -> dict[str, ExistingBucket]:
        return {}

    def share(self) -> str | None:
        return None
