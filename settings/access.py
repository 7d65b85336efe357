"""Sections `access` and `tls`: who may reach OMERO, and under which name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from settings.fields import Cidr, Distinct, DomainName, Fault, Like, Settings, network_of, rule, world


class ServerAccess(Settings):
    """Who may reach OMERO.server itself, through a network balancer: OMERO.insight and other clients."""

    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1), Distinct(network_of)]
    """Address ranges that may connect to port 4064. There is no default: name your own networks."""
    unencrypted: bool = False
    """True opens port 4063 too, on which passwords are encrypted and images are not."""
    websockets: bool = False
    """True opens port 4066 for clients that speak websockets over TLS (and 4065 with `unencrypted`)."""


class Access(Settings):
    """Who may reach OMERO from outside the VPC."""

    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1), Distinct(network_of)]
    """Address ranges that may open OMERO.web. There is no default: name your own networks."""
    open_to_the_world: bool = False
    """Must be true for `0.0.0.0/0`, so that nobody opens OMERO to everyone by a slip."""
    internal: bool = False
    """True gives the balancers private addresses: OMERO is reached over a VPN or Direct Connect only."""
    server: ServerAccess | None = None
    """For topologies with a network balancer: who may reach OMERO.server itself."""

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
                    f"{cidr} is the whole internet; name your own networks, or say access.open_to_the_world: true if "
                    "you mean it",
                )


class Tls(Settings):
    """For topologies with TLS: OMERO.web's name and its certificate."""

    domain_name: DomainName
    """OMERO.web's full name, for instance omero.example.org."""
    hosted_zone_id: Annotated[str, Like(r"Z[A-Z0-9]{1,31}", "id of a hosted zone of Route 53", "Z0EXAMPLE0ORG")]
    """Route 53 hosted zone that the name is in; it gets the name's record, and the certificate's proof."""
    certificate_arn: (
        Annotated[
            str,
            Like(
                r"arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/\S+",
                "ARN of a certificate of ACM",
                "arn:aws:acm:eu-west-1:111122223333:certificate/11111111-2222-3333-4444-555555555555",
            ),
        ]
        | None
    ) = None
    """A certificate of ACM that exists already; left out, one is made and proved in the hosted zone."""
    hsts_days: Annotated[int, Field(ge=1, le=730)] | None = None
    """Days that browsers shall insist on HTTPS for the name; left out, they are not asked to."""
