"""The File Gateway's share, as servers and upload hosts mount it."""

from __future__ import annotations

from contract import mounts
from contract.mounts import Consumer
from modules.container import Share
from settings import Workspace
from stacks.file_gateway import FileGatewayStack


def share_of(workspace: Workspace, consumer: Consumer, gateway: FileGatewayStack | None) -> Share | None:
    """Of an existing gateway, or of the one that `gateway` makes; None where `consumer` mounts none."""
    path = mounts.share_path(workspace, consumer)
    if path is None:
        return None
    if existing := workspace.share:
        return Share(volume="share", path=path, address=existing.address, bucket=existing.bucket)
    assert gateway is not None  # noqa: S101 - `share_path` is that of one of the two
    return Share(volume="share", path=path, address=gateway.address, bucket=gateway.bucket_name)
