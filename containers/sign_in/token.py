"""The token in which the load balancer says whom it has signed in: the header `x-amzn-oidc-data`.

It is a JSON Web Token whose parts are padded, signed with ES256. Unlike in others, what has to be compared is in its
*header*: `signer`, `iss`, `client` and `exp` (Application Load Balancers guide, "User claims encoding and signature
verification"). Any AWS account can have its balancer sign for any issuer, so the signer's ARN is what matters.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from containers.sign_in import p256

# More than a balancer's session may last: 7 days (SessionTimeout of AuthenticateOidcActionConfig).
MOST_SECONDS = 604_800
# A balancer refuses to send more than 11 KB (the guide's "Authentication flow").
MOST_CHARACTERS = 16_384
# It becomes a part of a URL.
KID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PART = re.compile(r"[A-Za-z0-9_-]+={0,2}")
KEY_SECONDS = 5.0
KEY_BYTES = 1_024


class Untrusted(Exception):
    """The token is none of our balancer's. The message says why, for the log alone."""


class NoName(Exception):
    """The token is good, and names nobody. The message is for the user."""


@dataclass(frozen=True)
class Expected:
    """What a token has to say: the ARN of our balancer, the identity provider, and our client id there."""

    signer: str
    issuer: str
    client_id: str


def claims(token: str, expected: Expected, key_of: Callable[[str], str], now: float) -> dict[str, Any]:
    """What the identity provider says of whoever the balancer has signed in.

    `key_of` gives the public key of a key id, in PEM; it is asked last. `now` is in seconds since 1970.

    Raises:
        Untrusted: the token is forged, foreign or out of date.
        OSError: `key_of` did not get the key.
    """
    parts = token.split(".") if len(token) <= MOST_CHARACTERS else []
    if len(parts) != 3 or not all(PART.fullmatch(part) for part in parts):
        raise Untrusted("it is no token of three parts")
    header, said, signature = _object(parts[0]), _object(parts[1]), _bytes(parts[2])
    for name, wanted in (
        ("alg", "ES256"),
        ("signer", expected.signer),
        ("iss", expected.issuer),
        ("client", expected.client_id),
    ):
        if header.get(name) != wanted:
            raise Untrusted(f"its {name} is {header.get(name)!r}, not {wanted!r}")
    ends, kid = header.get("exp"), header.get("kid")
    if not (isinstance(ends, int) and now < ends <= now + MOST_SECONDS):
        raise Untrusted(f"its exp is {ends!r}, and it is {now:.0f}")
    if not (isinstance(kid, str) and KID.fullmatch(kid)):
        raise Untrusted(f"its kid is {kid!r}, which is no UUID")
    try:
        key = p256.public_key(key_of(kid))
    except ValueError as error:
        raise Untrusted(f"the key {kid} cannot be used: {error}") from error
    if not p256.is_signed(f"{parts[0]}.{parts[1]}".encode(), signature, key):
        raise Untrusted(f"its signature is not by the key {kid}")
    return said


def name_of(said: dict[str, Any], claim: str) -> str:
    """The name of OMERO's user that a claim gives.

    Raises:
        NoName: there is none, or it is none; the message says which claim.
    """
    name = said.get(claim)
    if not (isinstance(name, str) and 0 < len(name) <= 255 and name == name.strip() and name.isprintable()):
        raise NoName(f"the identity provider gave no {claim} that is a name")
    # A provider that lets people type an address says so, as JSON or as text.
    if claim == "email" and str(said.get("email_verified", True)).lower() != "true":
        raise NoName("the identity provider says that the email is not verified")
    return name


@lru_cache(maxsize=16)
def key_at(url: str) -> str:
    """The text of a public key, asked for once.

    Raises:
        OSError: it cannot be had.
    """
    with urllib.request.urlopen(url, timeout=KEY_SECONDS) as answer:  # noqa: S310 - https by the task's definition
        content: bytes = answer.read(KEY_BYTES)
    return content.decode("ascii", "replace")


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Untrusted("a part of it is no JSON object")
    return found


def _bytes(part: str) -> bytes:
    bare = part.rstrip("=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError as error:
        raise Untrusted("a part of it is no base64") from error
