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
            f"{value} is no instance type of AppStream; one looks like stream.standard.large, or with an image that "
            "was imported from an AMI like GeneralPurpose.large"
        )
    return value


def _location(value: str) -> str:
    if "://" in value and not value.startswith("https://"):
        raise ValueError(f"{value} is not fetched; give a path, or a URL that begins with https://")
    return value


def _https(value: str) -> str:
    if not re.fullmatch(r"https://[^\s/]+(/\S*)?", value):
        raise ValueError(f"{value} is no web address for people to go to; one looks like https://omero.example.org/")
    return value


def _idle(value: int) -> int:
    if value != 0 and not 1 <= value <= 60:
        raise ValueError(f"{value} minutes are not allowed; give 1 to 60, or 0 for never")
    return value


InstanceType = Annotated[str, AfterValidator(_instance_type)]
Location = Annotated[str, AfterValidator(_location)]
WebAddress = Annotated[str, AfterValidator(_https), Field(max_length=1000)]


class Insight(Settings):
    """What OMERO.insight is made of. Relative paths are of the folder that the command is run in."""

    archive: Location
    """Path or https:// URL of OMERO.insight's zip (`OMERO.insight-5.8.4.zip`), which has `bin/omero-insight.bat`."""
    archive_sha256: Sha256
    """Its SHA-256."""
    runtime: Location
    """Path or https:// URL of the zip of a Java runtime of release 11 or later for Windows on x64."""
    runtime_sha256: Sha256
    """Its SHA-256."""


class Fleet(Settings):
    """The instances that people's sessions run on."""

    type: Literal["ELASTIC", "ON_DEMAND", "ALWAYS_ON"] = "ELASTIC"
    """`ELASTIC` needs no image, and costs while people use it. `ON_DEMAND` has instances of an image that start within
    two minutes; `ALWAYS_ON` has them running, and costs all the time."""
    instance_type: InstanceType = "stream.standard.large"
    """stream.standard.large has 2 vCPUs and 8 GiB. An Elastic fleet takes stream.standard.small, medium, large, xlarge
    and 2xlarge only."""
    image: Annotated[str, Like(NAME, "name of an image of AppStream", "insight-1")] | None = None
    """For `ON_DEMAND` and `ALWAYS_ON`: the image, which `pipenv run appstream image` makes."""
    sessions: Annotated[int, Field(ge=1, le=100)] = 5
    """The most sessions at a time; each has an instance of its own, and an address in a private subnet."""
    session_minutes: Annotated[int, Field(ge=10, le=7200)] = 960
    """A session ends after so many minutes, whatever is being done."""
    disconnect_minutes: Annotated[int, Field(ge=1, le=600)] = 15
    """A session that lost its browser waits so many minutes for it: imports go on meanwhile, and then stop."""
    idle_minutes: Annotated[int, AfterValidator(_idle)] = 0
    """Minutes without keyboard and mouse after which a session is disconnected; 0, the default, is never, for a long
    import needs neither."""
    subnet_ids: Annotated[tuple[SubnetId, SubnetId], Distinct()] | None = None
    """Two subnets of OMERO's VPC, in two zones; left out, the private ones."""
    hourly_usd: Annotated[float, Field(gt=0)] | None = None
    """What AWS asks for an hour of an instance of this type in this region, from its page of prices; left out, `status`
    tells instances and not what they cost."""

    @rule
    def _image_or_elastic(self) -> Iterator[Fault]:
        if self.type == "ELASTIC" and self.image:
            yield "image", f"{self.image} has no use with type ELASTIC; leave it out, or say type: ON_DEMAND"
        if self.type != "ELASTIC" and not self.image:
            yield "type", f"{self.type} needs an image; name one, or leave type out for an Elastic fleet"

    @rule
    def _instance_type_of_elastic(self) -> Iterator[Fault]:
        if self.type == "ELASTIC" and self.instance_type not in ELASTIC_TYPES:
            yield (
                "instance_type",
                f"{self.instance_type} is not offered for an Elastic fleet; give one of {listed(ELASTIC_TYPES)}, or "
                "type: ON_DEMAND with an image",
            )


class Stack(Settings):
    """What people may do in a session, and what they see around it."""

    home_folders: bool = True
    """A folder of one's own that is kept in S3, into which images are uploaded to be imported."""
    clipboard_in: bool = True
    """Text may be copied from one's own computer into the session."""
    clipboard_out: bool = False
    """Text may be copied out of the session."""
    file_upload: bool = True
    """Files may be uploaded into the home folder."""
    file_download: bool = False
    """Files may be downloaded: images would leave AWS this way."""
    printing: bool = False
    """Documents may be printed on one's own printer, or into a file."""
    redirect_url: WebAddress | None = None
    """Where people are led when their session ends; left out, to AWS's own page."""
    embed_domains: Annotated[tuple[DomainName, ...], Field(max_length=20), Distinct()] = ()
    """Domains whose pages may show a session inside of them; left out, none."""


class AppStream(Section):
    """OMERO.insight in a browser: application or image, fleet, stack and users, made by `pipenv run appstream`."""

    insight: Insight | None = None
    """OMERO.insight and Java; needed for an Elastic fleet and by an image builder."""
    fleet: Fleet = Fleet()
    """The instances that sessions run on."""
    stack: Stack = Stack()
    """What people may do."""
    users: Annotated[tuple[Email, ...], Field(max_length=500), Distinct(str.casefold)] = ()
    """People whom `ensure` adds to the user pool; it removes nobody. Others are added by `appstream user`."""

    @rule
    def _elastic_has_an_application(self) -> Iterator[Fault]:
        if self.fleet.type == "ELASTIC" and self.insight is None:
            yield "insight", "an Elastic fleet needs it; give archive and runtime with their SHA-256"

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
