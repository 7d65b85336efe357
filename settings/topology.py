"""The table of topologies. A new one is one row here and one test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What sets a topology apart, as traits; the stacks branch on these and on nothing else.

    `tls`: OMERO.web has a name and a certificate. `nlb`: OMERO.server is reached from outside too.
    """

    description: str
    tls: bool = False
    nlb: bool = False


TOPOLOGIES: dict[str, Topology] = {
    "rw-http": Topology(
        description="One read-write server and several web containers behind a balancer on HTTP, by its DNS name.",
    ),
    "rw-tls": Topology(
        description="The same with a name and a certificate of its own: HTTPS, and HTTP redirected to it.",
        tls=True,
    ),
    "rw-tls-nlb": Topology(
        description="The same, and a network balancer through which OMERO.insight reaches the server.",
        tls=True,
        nlb=True,
    ),
}
