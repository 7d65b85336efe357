"""Sections `access` and `tls`: who may reach OMERO, and under which name."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import Field, model_validator

from settings.fields import Cidr, DomainName, Settings


class ServerAccess(Settings):
    """Who may reach OMERO.server itself, through a network balancer: OMERO.insight and other clients."""

    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1)]
    """Address ranges that may connect to port 4064. There is no default: name your own networks."""
    unencrypted: bool = False
    """True opens port 4063 too, on which passwords are encrypted and images are not."""
    websockets: bool = False
    """True opens port 4066 for clients that speak websockets over TLS (and 4065 with `unencrypted`)."""


class Access(Settings):
    """Who may reach OMERO from outside the VPC."""

    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1)]
    """Address ranges that may open OMERO.web. There is no default: name your own networks."""
    open_to_the_world: bool = False
    """Must be true for `0.0.0.0/0`, so that nobody opens OMERO to everyone by a slip."""
    internal: bool = False
    """True gives the balancers private addresses: OMERO is reached over a VPN or Direct Connect only."""
    server: ServerAccess | None = None
    """For topologies with a network balancer: who may reach OMERO.server itself."""

    @model_validator(mode="after")
    def _world_by_intent(self) -> Self:
        ranges = {"cidrs": self.cidrs, "server.cidrs": self.server.cidrs if self.server else ()}
        for key, cidrs in ranges.items():
            wide = [cidr for cidr in cidrs if ipaddress.IPv4Network(cidr).prefixlen == 0]
            if wide and not self.open_to_the_world:
                raise ValueError(
                    f"{key} has {wide[0]}, the whole internet; name your own networks, "
                    "or say open_to_the_world: true if you mean it"
                )
        return self


class Tls(Settings):
    """For topologies with TLS: OMERO.web's name and its certificate."""

    domain_name: DomainName
    """OMERO.web's full name, for instance omero.example.org."""
    hosted_zone_id: Annotated[str, Field(pattern=r"^Z[A-Z0-9]{1,31}$")]
    """Route 53 hosted zone that the name is in; it gets the name's record, and the certificate's proof."""
    certificate_arn: (
        Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$")] | None
    ) = None
    """A certificate of ACM that exists already; left out, one is made and proved in the hosted zone."""
    hsts_days: Annotated[int, Field(ge=1, le=730)] | None = None
    """Days that browsers shall insist on HTTPS for the name; left out, they are not asked to."""
