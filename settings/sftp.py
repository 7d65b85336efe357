"""Section `sftp`: senders deliver images by SFTP, each into a folder of their own below `/OMERO`."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from settings.fields import Cidr, Email, OmeroFolder, RetentionDays
from settings.network import SUBNETS
from settings.section import ExistingBucket, Section


class Sftp(Section):
    """An SFTP endpoint of AWS Transfer Family for scanners and collaborators.

    The stack `sftp` makes the drop area and what makes folders in it; `pipenv run sftp` makes endpoint and users.
    """

    folder: OmeroFolder = "/OMERO/SFTP"
    """The drop area: senders' folders are below it. The path is the same in the file system and in OMERO.server."""
    endpoint: Literal["vpc", "public"] = "vpc"
    """`vpc` has addresses of its own that stay, and lets in `cidrs` only; `public` is AWS's own, open to every address,
    and needs `open_to_the_world`. Senders authenticate by key either way."""
    cidrs: Annotated[tuple[Cidr, ...], Field(max_length=50)] = ()
    """Address ranges that may connect to a `vpc` endpoint. There is no default: name the senders' networks."""
    internal: bool = False
    """True gives a `vpc` endpoint private addresses only: senders come over a VPN or Direct Connect."""
    open_to_the_world: bool = False
    """Must be true for `endpoint: public` and for `0.0.0.0/0`, so that nobody opens it to everyone by a slip."""
    failed_logins: Annotated[int, Field(ge=1, le=10_000)] = 20
    """So many refused keys within five minutes raise an alarm. A client may offer several keys at each log-in."""
    log_retention_days: RetentionDays = 365
    """Days that the log of connections and files is kept."""
    alarm_emails: Annotated[tuple[Email, ...], Field(max_length=20)] = ()
    """Who hears of the alarm; each has to confirm an e-mail from AWS first. Left out, nobody: the topic's ARN is an
    output."""

    @model_validator(mode="after")
    def _reached_by_intent(self) -> Self:
        if self.endpoint == "public":
            for key in ("cidrs", "internal"):
                if getattr(self, key):
                    raise ValueError(
                        f"{key} has no use with endpoint: public, which AWS opens to every address; leave {key} out, "
                        "or choose endpoint: vpc"
                    )
            if not self.open_to_the_world:
                raise ValueError(
                    "endpoint: public is open to every address; choose endpoint: vpc with cidrs, or say "
                    "open_to_the_world: true if you mean it"
                )
            return self
        if not self.cidrs:
            raise ValueError("cidrs is required with endpoint: vpc; name the networks that senders come from")
        wide = [cidr for cidr in self.cidrs if ipaddress.IPv4Network(cidr).prefixlen == 0]
        if wide and not self.open_to_the_world:
            raise ValueError(
                f"cidrs has {wide[0]}, the whole internet; name the senders' networks, or say open_to_the_world: true "
                "if you mean it"
            )
        return self

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
