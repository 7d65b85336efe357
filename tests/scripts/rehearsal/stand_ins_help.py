"""Fixtures for a local AWS that runs the stand-ins for OMERO's containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client, Ecs
from local_aws.testing.programs import Programs, make_programs
from scripts.rehearsal.stand_ins import IMAGES

IMAGE = "openmicroscopy/omero-server:5.6.18"


@pytest.fixture(scope="session")
def stand_ins() -> Path:
    return IMAGES


@pytest.fixture
def programs(aws: LocalAws, client: Client, ecs: Ecs, files_root: Path) -> Programs:
    """The importer's container; it sees the file system as /OMERO."""
    return make_programs(aws, client, ecs, files_root, image=IMAGE, container="importer", path="/OMERO")
