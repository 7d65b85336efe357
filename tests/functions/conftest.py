"""The functions speak to the local AWS."""

from __future__ import annotations

from local_aws.testing.datasync import place
from local_aws.testing.fixtures import aws, client, files_root, network, stand_ins

__all__ = ["aws", "client", "files_root", "network", "place", "stand_ins"]
