"""What every caller of boto3 needs: an answer where "not there" is one, and tags as AWS takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from scripts.aws.errors import code_of


def read(call: Callable[[], Any], *missing: str) -> Any:
    """What `call` returns; None if AWS answers with one of the error codes `missing`."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) in missing:
            return None
        raise


def tag_list(tags: dict[str, str]) -> Any:
    """Tags as the list that AWS takes."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
