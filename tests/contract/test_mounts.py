"""What is mounted where: the stacks mount it, and the scripts let pass what is mounted and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contract import mounts
from contract.mounts import MountPoint
from scripts.errors import Refused
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports import sources
from tests.conftest import Stacks, containers, workspace
from tests.settings.test_topology import sections

WORKSPACES: dict[str, dict[str, Any]] = {
    "least": {},
    "gateway for upload hosts only": {"file_gateway": {}},
    "existing share": sections("rw-http-s3fg"),
    "gateway": {"topology": "rw-http-s3fg", "file_gateway": {"mount_point": "/slides"}},
    "no topology": {"topology": None, "file_gateway": {}},
}


@pytest.mark.parametrize("changes", WORKSPACES.values(), ids=WORKSPACES.keys())
@pytest.mark.parametrize("name", ["server", "importer"])
def test_stacks_mount_what_scripts_let_pass(
    changes: dict[str, Any], name: str, synthesise: Callable[..., Stacks]
) -> None:
    found = containers(synthesise(**changes)["omero"], "server")[name]
    mounted = {point["containerPath"] for point in found["mountPoints"]}
    made = workspace(**changes)
    assert mounted == {point.path for point in mounts.of(made)}
    deployment = DeployedWorkspace(workspace=made, session=None, parameters={})  # type: ignore[arg-type]
    for path in ("/OMERO", "/s3uploads", "/slides"):
        if path in mounted:
            assert sources.path(deployment, f"{path}/a.svs") == f"{path}/a.svs".encode()
        else:
            with pytest.raises(Refused, match=r"is outside OMERO\.server's folders"):
                sources.path(deployment, f"{path}/a.svs")


def test_upload_hosts_mount_any_share_that_there_is() -> None:
    made = workspace(file_gateway={})
    assert mounts.of(made) == (MountPoint(path="/OMERO", share=False),)
    assert mounts.of(made, "upload_hosts")[1] == MountPoint(path="/s3uploads", share=True)
