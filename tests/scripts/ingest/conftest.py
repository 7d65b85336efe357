"""A local AWS whose containers run, shared with its own tests; and a place to import in it."""

from __future__ import annotations

from tests.local_aws.conftest import aws, client, ecs, files_root, network, role
from tests.local_aws.programs_help import programs
from tests.scripts.ingest.imports_help import importing

__all__ = ["aws", "client", "ecs", "files_root", "importing", "network", "programs", "role"]
