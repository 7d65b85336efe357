"""What every caller of boto3 needs: "not there" as an answer, whole listings, patience, tags as AWS has them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from scripts.aws.errors import code_of

T = TypeVar("T")

# Seconds between the attempts of `retry`: each pause is twice the one before, up to the longest.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0


def read(call: Callable[[], Any], *missing: str) -> Any:
    """What `call` returns; None if AWS answers with one of the error codes `missing`."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) in missing:
            return None
        raise


def retry(call: Callable[[], T], codes: Collection[str], *, seconds: float, saying: str = "") -> T:
    """What `call` returns, which is made again while AWS answers with one of the error `codes`: it is busy, or behind.

    `saying` is what its message has to contain, where the code alone does not tell.

    Raises:
        botocore.exceptions.ClientError: another code; or still one of these after so many `seconds`.
    """
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while True:
        try:
            return call()
        except ClientError as error:
            said = error.response.get("Error", {}).get("Message", "")
            if code_of(error) not in codes or saying not in said or time.monotonic() > deadline:
                raise
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def pages(client: Any, operation: str, **arguments: Any) -> Iterator[Any]:
    """The answers of a Describe or List operation, page by page, also where botocore has no paginator for it."""
    if client.can_paginate(operation):
        yield from client.get_paginator(operation).paginate(**arguments)
        return
    while True:
        answer = getattr(client, operation)(**arguments)
        yield answer
        if not answer.get("NextToken"):
            return
        arguments["NextToken"] = answer["NextToken"]


def rows(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    """What the pages of an operation have under `key`, one after another."""
    for page in pages(client, operation, **arguments):
        yield from page.get(key, ())


def tag_list(tags: dict[str, str]) -> Any:
    """Tags as the list that AWS takes."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(tags: Iterable[Any]) -> dict[str, str]:
    """Tags from the list that AWS gives."""
    return {tag["Key"]: tag["Value"] for tag in tags}
