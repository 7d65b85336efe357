"""Topologies: the traits that a workspace's sections give it, and the names of some combinations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What sets a deployment apart; stacks branch on these. Each is the presence of a section.

    `tls`: OMERO.web has a name and a certificate. `nlb`: clients outside the VPC reach OMERO.server too.
    `read_only`: read-only servers run beside the read-write one. `share`: the servers mount a File Gateway's share.
    """

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
        """Default CPU units and MiB of a server's task: the original solution's, and a GiB more than its smallest, in
        which there is no importer."""
        return (2048, 5120) if self.read_only or self.share else (4096, 10240)


@dataclass(frozen=True, kw_only=True)
class Topology(Traits):
    """A combination of traits with a name; `description` is for people."""

    description: str


TOPOLOGIES: dict[str, Topology] = {
    "rw-http": Topology(
        description="One read-write server and several web containers behind a load balancer on HTTP, under its DNS "
        "name.",
    ),
    "rw-tls": Topology(
        description="As rw-http, with your own domain name and a certificate: HTTPS, with HTTP redirected to it.",
        tls=True,
    ),
    "rw-tls-nlb": Topology(
        description="As rw-tls, with a Network Load Balancer through which OMERO.insight reaches the server.",
        tls=True,
        nlb=True,
    ),
    "rw-ro-tls": Topology(
        description="As rw-tls, with read-only servers beside the read-write one; users choose one at login.",
        tls=True,
        read_only=True,
    ),
    "rw-http-s3fg": Topology(
        description="As rw-http, with the share of an S3 File Gateway, which the server mounts to import from.",
        share=True,
    ),
    "rw-tls-s3fg": Topology(
        description="As rw-tls, with the share of an S3 File Gateway, which the server mounts to import from.",
        tls=True,
        share=True,
    ),
    "rw-tls-nlb-s3fg": Topology(
        description="As rw-tls-nlb, with the share of an S3 File Gateway, which the server mounts to import from.",
        tls=True,
        nlb=True,
        share=True,
    ),
}
"""The seven topologies of the original solution. Without a name, the sections of a workspace decide by themselves."""
