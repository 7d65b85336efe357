"""ElastiCache: Valkey and Redis replication groups, with their groups of subnets and of users.

moto 5.2.5 has no change or end of a subnet group; its replication groups have one member whatever was asked for, no
member clusters (Terraform reads `<id>-001` first), no change of anything but five settings, are never deleted, and take
any combination of settings.

A replication group with cluster mode disabled is made here as AWS makes it: members `<id>-001` and on, the first one
the primary, spread over the zones of the subnet group; primary and reader endpoint; tags on the group and its members.
It is `creating`, `modifying` and `deleting` for LOCAL_AWS_CACHE_SECONDS (1) each. What AWS refuses is refused: see
`checks`. https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html

Users and their groups are there at once; nobody is authenticated by them, for there is no server: see `users`.

Not modelled (501): cluster mode, AUTH tokens, delivery of logs, final snapshots. Nor are parameter groups other than
AWS's default ones, serverless caches, global datastores, fail-overs, changes that wait for the maintenance window (all
apply at once), and the server itself. What moto has for single cache clusters is left as it is.
"""

from __future__ import annotations

from moto.elasticache.models import ElastiCacheBackend
from moto.elasticache.responses import ElastiCacheResponse

from local_aws import actions, clock
from local_aws.services.elasticache import groups, replication, users


def install() -> None:
    """Put all of it into moto's ElastiCache."""
    actions.add(ElastiCacheResponse, "elasticache_backend", {**groups.ACTIONS, **replication.ACTIONS, **users.ACTIONS})
    clusters = {"DescribeCacheClusters": replication.describe_cache_clusters}
    actions.wrap(ElastiCacheResponse, "elasticache_backend", clusters)
    ElastiCacheBackend.list_tags_for_resource = groups.list_tags_for_resource
    clock.every_request(replication.tick)
