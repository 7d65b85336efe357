"""Log groups that services write by themselves: without a retention, without a key, and to stay.

ECS creates `/aws/ecs/containerinsights/<cluster>/performance` for a cluster with Container Insights, unless it exists
(aws/containers-roadmap, issue 2315). RDS creates `/aws/rds/instance/<instance>/<log>` for the logs that an instance
exports, and creates those again that are deleted before it has written the last of an instance that is deleted
(terraform-provider-aws, issue 42858; terraform-aws-modules/terraform-aws-rds, issue 419).

RDS writes for LOCAL_AWS_DATABASE_LOG_SECONDS (600) after the deletion. moto does none of it.
"""

from __future__ import annotations

import time
from typing import Any

from moto.ecs.models import ecs_backends
from moto.logs.models import logs_backends
from moto.rds.models import DBInstance, RDSBackend, rds_backends

from local_aws import clock

LAST_LOGS = clock.seconds("LOCAL_AWS_DATABASE_LOG_SECONDS", 600)

# By account, region and instance: until when RDS writes, and into which groups.
_deleted: dict[tuple[str, str, str], tuple[float, list[str]]] = {}


def install() -> None:
    """Write them as time goes by."""
    delete = RDSBackend.delete_db_instance

    def delete_db_instance(self: Any, db_instance_identifier: str, **named: Any) -> Any:
        found = self.databases.get(db_instance_identifier)
        deleted = delete(self, db_instance_identifier=db_instance_identifier, **named)
        if found is not None:
            whose = (self.account_id, self.region_name, db_instance_identifier)
            _deleted[whose] = (time.time() + LAST_LOGS, _groups_of(found))
        return deleted

    RDSBackend.delete_db_instance = delete_db_instance
    clock.every_request(tick)


def _groups_of(instance: DBInstance) -> list[str]:
    name = instance.db_instance_identifier
    return [f"/aws/rds/instance/{name}/{log}" for log in instance.enabled_cloudwatch_logs_exports or []]


def tick(now: float) -> None:
    for account, regions in list(ecs_backends.items()):
        for region, backend in list(regions.items()):
            for cluster in backend.clusters.values():
                if cluster.status == "ACTIVE" and _has_insights(cluster):
                    _write(account, region, f"/aws/ecs/containerinsights/{cluster.name}/performance")
    for account, regions in list(rds_backends.items()):
        for region, backend in list(regions.items()):
            for instance in backend.databases.values():
                if getattr(instance, "status", "") != "available":
                    continue
                _deleted.pop((account, region, instance.db_instance_identifier), None)
                for group in _groups_of(instance):
                    _write(account, region, group)
    for whose, (until, groups) in list(_deleted.items()):
        written = [group for group in groups if _write(whose[0], whose[1], group)]
        left = [group for group in groups if group not in written]
        if left and now < until:
            _deleted[whose] = (until, left)
        else:
            del _deleted[whose]


def _has_insights(cluster: Any) -> bool:
    settings = cluster.settings or []
    return any(each["name"] == "containerInsights" and each["value"] != "disabled" for each in settings)


def _write(account: str, region: str, name: str) -> bool:
    """Create the group where it is missing; whether it was."""
    logs = logs_backends[account][region]
    if name in logs.groups:
        return False
    logs.create_log_group(name, {})
    return True
