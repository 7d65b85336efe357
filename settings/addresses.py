"""How many private IP addresses a workspace takes, counted before anything is made."""

from __future__ import annotations

from settings.omero import Omero

# A mount target of the file system in each zone.
_MOUNT_TARGETS = 2
# The database, and its standby or the instance that a restore makes beside it.
_DATABASES = 2
# An Application Load Balancer wants 8 free addresses in each subnet, to grow (its user guide, "Subnets").
_ALB_PER_SUBNET = 8
_NLB_PER_SUBNET = 1
_SUBNETS = 2
FILE_GATEWAY = 3
"""Addresses of a File Gateway: its own, and one a subnet for the function that activates it."""
# What a transfer between S3 and EFS has without an agent (DataSync user guide, "Network interfaces for transfers").
DATASYNC = 2
SFTP = 2
"""Addresses of the function that makes senders' folders, one a subnet; an internal endpoint takes as many again."""


def needed(omero: Omero, *, internal: bool, nlb: bool) -> int:
    """Addresses in the private subnets at the worst moment: a deployment that has every web task twice.

    `internal` balancers are there too, and `nlb` says whether there is one for OMERO.server.
    """
    servers = 1 + (omero.read_only.count if omero.read_only else 0)
    importers = omero.importer.max_tasks
    instances = omero.ec2.max_instances if omero.ec2 else 0
    caches = 1 + omero.web.sessions.replicas if omero.web.sessions else 0
    balancers = (_ALB_PER_SUBNET + (_NLB_PER_SUBNET if nlb else 0)) * _SUBNETS if internal else 0
    return servers + importers + instances + 2 * omero.web.most + caches + balancers + _MOUNT_TARGETS + _DATABASES
