"""One local AWS for all tests."""

from local_aws.testing.fixtures import aws, client, ecs, files_root, network, role, stand_ins

__all__ = ["aws", "client", "ecs", "files_root", "network", "role", "stand_ins"]
