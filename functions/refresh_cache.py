"""Tell a File Gateway to look at its bucket again. Needs `storagegateway:RefreshCache` on the file share.

One message says that something changed in the bucket since the last one (see modules/cache_refresh.py). Should AWS
refuse, for two refreshes run already, the error makes SQS deliver the message again.
"""

from __future__ import annotations

import json
from typing import Any

import boto3


def handler(event: dict[str, Any], context: Any) -> None:
    """Refresh every file share that the messages name, once."""
    client = boto3.client("storagegateway")
    shares = {json.loads(record["body"])["file_share_arn"] for record in event["Records"]}
    for share in sorted(shares):
        client.refresh_cache(FileShareARN=share, FolderList=["/"], Recursive=True)
