"""The table of topologies. A new one is one row here and one test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Topology:
    """What sets a topology apart, as traits; the stacks branch on these and on nothing else.

    `tls`: OMERO.web has a name and a certificate. `nlb`: OMERO.server is reached from outside too.
    `read_only`: read-only servers stand beside the read-write one. `share`: an S3 File Gateway's share is mounted.
    """

    description: str
    tls: bool = False
    nlb: bool = False
    read_only: bool = False
    share: bool = False

    @property
    def launch_types(self) -> tuple[str, ...]:
        """Where the servers may run, the default first. Fargate mounts no NFS share."""
        return ("EC2",) if self.share else ("FARGATE", "EC2")

    @property
    def server_size(self) -> tuple[int, int]:
        """CPU units and MiB of a server's task if the workspace does not say, as in the original solution."""
        return (2048, 4096) if self.read_only or self.share else (4096, 10240)


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
    "rw-ro-tls": Topology(
        description="As rw-tls, and read-only servers beside the read-write one, which people choose when they log in.",
        tls=True,
        read_only=True,
    ),
    "rw-http-s3fg": Topology(
        description="As rw-http, and the server sees the share of an S3 File Gateway, to import from.",
        share=True,
    ),
    "rw-tls-s3fg": Topology(
        description="As rw-tls, and the server sees the share of an S3 File Gateway, to import from.",
        tls=True,
        share=True,
    ),
    "rw-tls-nlb-s3fg": Topology(
        description="As rw-tls-nlb, and the server sees the share of an S3 File Gateway, to import from.",
        tls=True,
        nlb=True,
        share=True,
    ),
}
