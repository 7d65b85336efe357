"""The File Gateway's share, as servers and upload hosts mount it."""

from __future__ import annotations

from contract import mounts
from contract.mounts import Consumer
from modules.connections import Endpoint
from modules.container import Share
from modules.file_system import NFS_PORT
from settings import Workspace
from stacks.file_gateway import FileGatewayStack


def share_of(workspace: Workspace, consumer: Consumer, gateway: FileGatewayStack | None) -> Share | None:
    """Of an existing gateway, or of the one that `gateway` makes; None where `consumer` mounts none."""
    path = mounts.share_path(workspace, consumer)
    if path is None:
        return None
    if existing := workspace.share:
        # Its security group is not ours: whoever runs the gateway admits our clients.
        endpoint = Endpoint(
            id="share",
            port=NFS_PORT,
            description="Share of the File Gateway",
            security_group_id=None,
            host=existing.address,
        )
        return Share(volume="share", path=path, endpoint=endpoint, bucket=existing.bucket)
    assert gateway is not None  # noqa: S101 - `share_path` is that of one of the two
    return Share(volume="share", path=path, endpoint=gateway.endpoint, bucket=gateway.bucket_name)
