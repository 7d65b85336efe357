"""Storage Gateway: S3 File Gateways with their disks, caches and NFS file shares. moto 5.2.5 has none of it.

A gateway is activated with a key that its machine gives out over HTTP (see `activation`), once and within
LOCAL_AWS_GATEWAY_KEY_SECONDS (1800). It is not connected for LOCAL_AWS_GATEWAY_SECONDS (1) after that, nor while its
EC2 instance does not run. Its disks are the instance's volumes but the root device; without an instance, those that
LOCAL_AWS_GATEWAY_DISKS_GIB (150) lists. The cache is 150 GiB or more.

An instance of the image that Systems Manager's /aws/service/storagegateway/ami/FILE_S3/latest names is such a machine:
it answers at its private address to whoever has this server as HTTP proxy, as functions of Lambda in a VPC have.

A file share is CREATING, UPDATING and DELETING for LOCAL_AWS_GATEWAY_SECONDS each, AVAILABLE in between. RefreshCache
is refused within LOCAL_AWS_GATEWAY_REFRESH_INTERVAL_SECONDS (60) of the last one of the share, and while two of them,
which take LOCAL_AWS_GATEWAY_REFRESH_SECONDS (5) each, are under way. AWS asks for the interval, but is not known to
enforce it.

Not modelled: other types of gateways, SMB, the NFS server itself, schedules of bandwidth. Of its events EventBridge has
the ends of refreshes: those of uploads come from what clients write.
"""

from __future__ import annotations

import re
import sys

from moto import backend_index

from local_aws import clock
from local_aws.application import LocalAwsApplication
from local_aws.services.storagegateway import activation, image, shares
from local_aws.services.storagegateway.models import storagegateway_backends

__all__ = ["install", "storagegateway_backends"]

_PATTERN = re.compile(r"https?://storagegateway\.(.+)\.amazonaws\.com")


def install() -> None:
    """Make it a service of moto's."""
    sys.modules["moto.storagegateway"] = sys.modules[__name__]
    if not any(name == "storagegateway" for name, _ in backend_index.backend_url_patterns):
        backend_index.backend_url_patterns.append(("storagegateway", _PATTERN))
    LocalAwsApplication.resources[activation.RESOURCE] = activation.resource
    image.install()
    clock.every_request(shares.tick)
