"""One local AWS for all tests."""

from local_aws.testing.fixtures import aws, client, ecs, files_root, network, role, stand_ins
from local_aws.testing.groups import groups

__all__ = ["aws", "client", "ecs", "files_root", "groups", "network", "role", "stand_ins"]
