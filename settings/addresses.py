"""How many private IP addresses a workspace takes, counted before anything is made."""

from __future__ import annotations

from collections.abc import Iterable

from settings.network import SUBNETS
from settings.omero import Omero
from settings.section import Section

# A mount target of the file system in each zone.
_MOUNT_TARGETS = 2
# The database, and its standby or the instance that a restore makes beside it.
_DATABASES = 2
# An Application Load Balancer wants 8 free addresses in each subnet, to grow (its user guide, "Subnets").
_ALB_PER_SUBNET = 8
_NLB_PER_SUBNET = 1


def needed(omero: Omero, sections: Iterable[Section], *, internal: bool, nlb: bool) -> int:
    """Addresses in the private subnets at the worst moment: a deployment that has every web task twice.

    `internal` balancers are there too, and `nlb` says whether there is one for OMERO.server.
    """
    servers = 1 + (omero.read_only.count if omero.read_only else 0)
    instances = omero.ec2.max_instances if omero.ec2 else 0
    caches = 1 + omero.web.sessions.replicas if omero.web.sessions else 0
    balancers = (_ALB_PER_SUBNET + (_NLB_PER_SUBNET if nlb else 0)) * SUBNETS if internal else 0
    core = servers + instances + 2 * omero.web.most + caches + balancers + _MOUNT_TARGETS + _DATABASES
    return core + sum(section.addresses() for section in sections)
