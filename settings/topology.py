"""The table of topologies. A new one is one row here and one test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What sets a topology apart, as traits; the stacks branch on these and on nothing else."""

    description: str


TOPOLOGIES: dict[str, Topology] = {
    "rw-http": Topology(
        description="One read-write server and several web containers behind a balancer on HTTP, by its DNS name."
    ),
}
