"""The File Gateway's share, as servers and upload hosts mount it."""

from __future__ import annotations

from modules.container import Share
from settings import Workspace
from stacks.file_gateway import FileGatewayStack


def share_of(workspace: Workspace, gateway: FileGatewayStack | None) -> Share | None:
    """Of a gateway that is there already, or of the one that `gateway` makes; None without either."""
    if there := workspace.share:
        return Share(volume="share", path=there.mount_point, address=there.address, bucket=there.bucket)
    if gateway and (made := workspace.file_gateway):
        return Share(volume="share", path=made.mount_point, address=gateway.address, bucket=gateway.bucket_name)
    return None
