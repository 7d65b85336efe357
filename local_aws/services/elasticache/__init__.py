"""ElastiCache: Valkey and Redis replication groups, with their groups of subnets, parameters and users.

moto 5.2.5 has no parameter groups, no user groups, no ModifyUser, no change or end of a subnet group; its replication
groups have one member whatever was asked for, no member clusters (Terraform reads `<id>-001` first), no change of
anything but five settings, are never deleted, and take any combination of settings.

A replication group with cluster mode disabled is made here as AWS makes it: members `<id>-001` and on, the first one
the primary, spread over the zones of the subnet group; primary and reader endpoint; tags on the group and its members.
It is `creating`, `modifying` and `deleting` for LOCAL_AWS_CACHE_SECONDS (1) each. What AWS refuses is refused: see
`replication`. https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html

Not modelled: cluster mode, serverless caches, global datastores, fail-overs, restoring from snapshots (a final snapshot
is listed), changes that wait for the maintenance window (all apply at once), the names of parameters (moto has no
list of them), and the server itself. What moto has for single cache clusters is left as it is.
"""

from __future__ import annotations

from local_aws.services.elasticache import groups, replication, users


def install() -> None:
    """Put all of it into moto's ElastiCache."""
    groups.install()
    replication.install()
    users.install()
