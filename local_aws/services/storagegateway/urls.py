"""Where Storage Gateway is reached."""

from __future__ import annotations

from local_aws.services.storagegateway.responses import StorageGatewayResponse

url_bases = [r"https?://storagegateway\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/$": StorageGatewayResponse.dispatch}
