"""Faults on request (`local_aws.faults`), and the other resources of the server's own."""

from __future__ import annotations

import json
import urllib.request
from typing import Any


def ask(endpoint: str, path: str, *, method: str = "GET", body: Any = None) -> Any:
    """What a resource of the server's own answers. Raises urllib.error.HTTPError where it refuses."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(endpoint + path, data=data, method=method)  # noqa: S310 - on this machine
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def add_faults(endpoint: str, service: str, faults: dict[str, list[str]]) -> Any:
    """Have the next calls of a service meet these faults: all that wait."""
    return ask(endpoint, f"/_local/{service}/faults", method="POST", body=faults)


def forget_faults(endpoint: str, service: str) -> Any:
    """Drop what is left."""
    return ask(endpoint, f"/_local/{service}/faults", method="DELETE")
