"""What an identity provider says of itself (OpenID Connect Discovery 1.0, 4), as the section of a workspace."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from scripts import trust
from scripts.errors import Refused

SUFFIX = "/.well-known/openid-configuration"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
TIMEOUT = 30
MOST_BYTES = 1 << 20


def discover(issuer: str) -> dict[str, str]:
    """The issuer and its three endpoints, by the keys of the section.

    Raises:
        Refused: it cannot be asked, or a load balancer could not use what it says; the sentence says why.
    """
    if not issuer.startswith("https://"):
        raise Refused(f"{issuer} is no HTTPS address; give the issuer, such as https://login.example.org/realm.")
    url = f"{issuer.rstrip('/').removesuffix(SUFFIX)}{SUFFIX}"
    said = _read(url)
    # Some answer at one address for many: the issuer that counts is the one that says so, at its own.
    found: dict[str, str] = {}
    for key in ("issuer", *ENDPOINTS):
        value = said.get(key)
        if not isinstance(value, str) or not value.startswith("https://"):
            raise Refused(f"{url} has no {key} over HTTPS, but {value!r}; a load balancer needs one.")
        found[key] = value
    if f"{found['issuer'].rstrip('/')}{SUFFIX}" != url:
        raise Refused(
            f"{url} is of the issuer {found['issuer']}, which is another one; give that one, with the tenant's id in "
            "the place of a name such as `common`."
        )
    for key in ("token_endpoint", "userinfo_endpoint"):
        _check_address(key, found[key])
    return found


def _read(url: str) -> dict[str, Any]:
    tls = ssl.create_default_context()
    if store := trust.variables(os.environ).get("SSL_CERT_FILE"):
        tls.load_verify_locations(store)
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT, context=tls) as answer:  # noqa: S310 - https, see above
            said = json.loads(answer.read(MOST_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
        told = trust.fault(f"{url}: {reason}") or f"{reason}; check the issuer and the network."
        raise Refused(f"{url} could not be read: {told}") from error
    if not isinstance(said, dict):
        raise Refused(f"{url} is no OpenID configuration; check the issuer.")
    return said


def _check_address(key: str, url: str) -> None:
    """A load balancer asks the provider over IPv4, by a name that resolves publicly (its guide, "Prepare to use an
    OIDC-compliant IdP"). Where this runs, other names may resolve."""
    host = urlsplit(url).hostname or ""
    try:
        socket.getaddrinfo(host, 443, socket.AF_INET)
    except OSError as error:
        raise Refused(f"{key} is at {host}, which has no IPv4 address here; a load balancer needs one.") from error
