"""Fetch the activation key of a Storage Gateway from inside its VPC. Needs no right in AWS.

A gateway's machine gives its key to whoever asks on port 80, until it is activated:
https://docs.aws.amazon.com/filegateway/latest/files3/get-activation-key.html
The key can be used once, within 30 minutes.
"""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

# Five groups of five letters and digits.
KEY = re.compile(r"[A-Z0-9]{5}(-[A-Z0-9]{5}){4}")
PAUSE_SECONDS = 5
TIMEOUT_SECONDS = 10


class NoAnswer(Exception):
    """The gateway gave no key in time."""


def handler(event: dict[str, str], context: Any) -> str:
    """The key of the gateway at `event["address"]` for `event["region"]`.

    A machine that has just been started takes some minutes to answer: it is asked again and again until the function's
    own time is nearly over.

    Raises:
        NoAnswer: it gave none until then.
    """
    query = urlencode({"activationRegion": event["region"], "gatewayType": "FILE_S3"})
    url = f"http://{event['address']}/?{query}&no_redirect"
    began = time.monotonic()
    while True:
        key, problem = _ask(url)
        if key:
            return key
        if context.get_remaining_time_in_millis() < (PAUSE_SECONDS + TIMEOUT_SECONDS) * 1000 + 1000:
            waited = int(time.monotonic() - began)
            raise NoAnswer(
                f"the gateway at {event['address']} gave no activation key on port 80 within {waited} s ({problem}); "
                "see whether its instance runs and has a way out to port 443, then deploy again."
            )
        time.sleep(PAUSE_SECONDS)


def _ask(url: str) -> tuple[str, str]:
    """The key, or an empty one and what was amiss."""
    try:
        with urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - http to an address of the VPC
            text = answer.read(1000).decode(errors="replace").strip()
    except HTTPError as error:
        return "", f"it answered {error.code} {error.read(100).decode(errors='replace')}".strip()
    except OSError as error:
        return "", str(error)
    return (text, "") if KEY.fullmatch(text) else ("", f"it answered {text[:100]!r}")
