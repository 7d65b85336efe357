"""The functions speak to the local AWS."""

from __future__ import annotations

from tests.local_aws.conftest import aws, client, files_root, network
from tests.local_aws.datasync_help import place

__all__ = ["aws", "client", "files_root", "network", "place"]
