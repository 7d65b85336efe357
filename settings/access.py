"""Sections `access` and `tls`: who may reach OMERO, and under which name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.fields import Cidr, Distinct, DomainName, Fault, Like, Settings, network_of, rule, world


class ServerAccess(Settings):
    """Who may reach OMERO.server itself (with OMERO.insight and other clients), through a Network Load Balancer."""

    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1), Distinct(network_of)]
    """Address ranges that may connect to port 4064. There is no default: name your own networks."""
    unencrypted: bool = False
    """True also opens port 4063, where passwords are encrypted but images are not."""
    websockets: bool = False
    """True opens port 4066 for clients that use websockets over TLS (and 4065 with `unencrypted`)."""


class Access(Settings):
    """Who may reach OMERO from outside the VPC."""

    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1), Distinct(network_of)]
    """Address ranges that may open OMERO.web. There is no default: name your own networks."""
    open_to_the_world: bool = False
    """Must be true for `0.0.0.0/0`, so that nobody opens OMERO to everyone by accident."""
    internal: bool = False
    """True gives the load balancers private addresses: OMERO is reachable only over a VPN or Direct Connect."""
    server: ServerAccess | None = None
    """Who may reach OMERO.server itself, through a Network Load Balancer; left out, nobody outside the VPC."""

    @rule
    def _people_by_intent(self) -> Iterator[Fault]:
        yield from self._by_intent("cidrs", self.cidrs)

    @rule
    def _clients_by_intent(self) -> Iterator[Fault]:
        if self.server:
            yield from self._by_intent("server.cidrs", self.server.cidrs)

    def _by_intent(self, key: str, cidrs: tuple[str, ...]) -> Iterator[Fault]:
        if not self.open_to_the_world:
            for index, cidr in world(cidrs):
                yield (
                    f"{key}.{index}",
                    f"{cidr} is the whole internet; name your own networks, or set access.open_to_the_world: true "
                    "if you mean it",
                )


class Tls(Settings):
    """OMERO.web's domain name and its certificate."""

    domain_name: DomainName
    """OMERO.web's full domain name, for instance omero.example.org."""
    hosted_zone_id: Annotated[str, Like(r"Z[A-Z0-9]{1,31}", "id of a Route 53 hosted zone", "Z0EXAMPLE0ORG")]
    """Route 53 hosted zone of the name; it gets the alias record and the certificate's validation record."""
    certificate_arn: (
        Annotated[
            str,
            Like(
                r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+",
                "ARN of an ACM certificate",
                "arn:aws:acm:eu-west-1:111122223333:certificate/11111111-2222-3333-4444-555555555555",
            ),
        ]
        | None
    ) = None
    """An existing ACM certificate; left out, one is issued and validated by DNS in the hosted zone."""
    hsts_days: Annotated[int, Field(ge=1, le=730)] | None = None
    """Days for which browsers must use HTTPS for the name (HSTS); left out, no HSTS header is sent."""
