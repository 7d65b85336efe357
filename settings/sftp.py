"""Section `sftp`: senders deliver images by SFTP, each into a folder of their own below `/OMERO`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from settings.fields import Cidr, Distinct, Email, Fault, OmeroFolder, RetentionDays, network_of, rule, world
from settings.network import SUBNETS
from settings.section import ExistingBucket, Section


class Sftp(Section):
    """An SFTP endpoint of AWS Transfer Family for scanners and collaborators.

    The `sftp` stack creates the drop area and the function that creates folders in it; `omero-aws sftp` creates the
    endpoint and its users.
    """

    folder: OmeroFolder = "/OMERO/SFTP"
    """The drop area, which contains the senders' folders. The path is the same on the file system and in
    OMERO.server."""
    endpoint: Literal["vpc", "public"] = "vpc"
    """`vpc` has fixed addresses of its own and admits only `cidrs`; `public` is AWS's own endpoint, open to every
    address, and needs `open_to_the_world`. Senders authenticate by key either way."""
    cidrs: Annotated[tuple[Cidr, ...], Field(max_length=50), Distinct(network_of)] = ()
    """Address ranges that may connect to a `vpc` endpoint. There is no default: name the senders' networks."""
    internal: bool = False
    """True gives a `vpc` endpoint only private addresses: senders connect over a VPN or Direct Connect."""
    open_to_the_world: bool = False
    """Must be true for `endpoint: public` and for `0.0.0.0/0`, so that nobody opens it to everyone by accident."""
    uids: Literal["own", "omero"] = "own"
    """Whose the files of a new sender are. `own`: a uid for each sender's folder, so that no sender can read or change
    another's files, whatever becomes of the logical home. `omero`: uid 1000 for all, which hard links (`ln`) and
    clients that upload files with mode 0600 need."""
    failed_logins: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Number of refused keys within five minutes that raises an alarm. A client may offer several keys at each
    login."""
    log_retention_days: RetentionDays = 365
    """Days for which the log of connections and files is kept, even after the endpoint is removed."""
    alarm_emails: Annotated[tuple[Email, ...], Field(max_length=20), Distinct(str.casefold)] = ()
    """E-mail addresses that are notified of the alarm; each has to confirm an e-mail from AWS first. Left out, nobody
    is: the topic's ARN is an output."""

    @rule
    def _no_addresses_of_a_public_endpoint(self) -> Iterator[Fault]:
        if self.endpoint == "public" and self.internal:
            yield "internal", _of_no_use("internal")

    @rule
    def _no_networks_of_a_public_endpoint(self) -> Iterator[Fault]:
        if self.endpoint == "public" and self.cidrs:
            yield "cidrs", _of_no_use("cidrs")

    @rule
    def _public_by_intent(self) -> Iterator[Fault]:
        if self.endpoint == "public" and not self.open_to_the_world:
            yield (
                "endpoint",
                "public is open to every address; choose endpoint: vpc with cidrs, or set sftp.open_to_the_world: "
                "true if you mean it",
            )

    @rule
    def _networks_by_name(self) -> Iterator[Fault]:
        if self.endpoint == "vpc" and not self.cidrs:
            yield "cidrs", "endpoint: vpc needs address ranges; give the networks that senders connect from"

    @rule
    def _world_by_intent(self) -> Iterator[Fault]:
        if self.endpoint == "vpc" and not self.open_to_the_world:
            for index, cidr in world(self.cidrs):
                yield (
                    f"cidrs.{index}",
                    f"{cidr} is the whole internet; name the senders' networks, or set sftp.open_to_the_world: "
                    "true if you mean it",
                )

    def addresses(self) -> int:
        # The function that makes senders' folders has one a subnet; an internal endpoint has as many again.
        return SUBNETS * (2 if self.internal else 1)

    def arns(self) -> dict[str, str | None]:
        return {}

    def folders(self) -> dict[str, str]:
        return {"folder": self.folder}

    def buckets(self) -> dict[str, ExistingBucket]:
        return {}

    def share(self) -> str | None:
        return None


def _of_no_use(key: str) -> str:
    return (
        f"it has no effect with endpoint: public, which AWS opens to every address; remove {key}, or set endpoint: vpc"
    )
