"""What a container registry says of its images, read without a log-in.

By the OCI distribution specification 1.1 ("Pulling manifests", "Listing Tags"), and Docker's token authentication,
which public registries ask of anonymous clients too. Standard library alone: it goes through the proxies of the
environment, and trusts what this machine trusts.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from scripts import trust
from scripts.errors import Failed
from scripts.images.reference import Reference

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MOST_BYTES = 4 * 1024 * 1024  # of a manifest, as registries have to take at least
MOST_PAGES = 100  # of tags
SECONDS = 20.0
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_LOCAL = ("localhost", "127.0.0.1")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the host that it is for, and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Registry:
    """The registry of one host. Nothing is asked before a method is called, and tokens are kept by repository."""

    def __init__(self, host: str) -> None:
        self._host = host
        # As Docker does: a registry on this machine may be without TLS.
        self._base = f"{'http' if host.partition(':')[0] in _LOCAL else 'https'}://{host}"
        self._tokens: dict[str, str] = {}
        self._opener = urllib.request.build_opener(_NoRedirect)

    def digest(self, image: Reference) -> str:
        """The digest of what the tag names now: the SHA-256 of its manifest's bytes.

        Raises:
            Failed: the registry cannot be reached, has no such tag, wants a log-in, or contradicts itself.
        """
        url = f"{self._base}/v2/{image.repository}/manifests/{image.tag}"
        body, headers = self._get(url, image, {"Accept": ", ".join(MANIFESTS)})
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        said = headers.get("Docker-Content-Digest", digest)
        if said != digest:
            raise Failed(
                f"the registry {self._host} says that {image} is {said}, and what it sent is {digest}; do not use it, "
                "and find out who answers there."
            )
        return digest

    def tags(self, image: Reference) -> list[str]:
        """All tags of the image's repository.

        Raises:
            Failed: as `digest`.
        """
        url, found = f"{self._base}/v2/{image.repository}/tags/list?n=1000", list[str]()
        for _ in range(MOST_PAGES):
            body, headers = self._get(url, image, {})
            found += _json(body, self._host).get("tags") or []
            following = re.match(r'\s*<([^>]+)>\s*;\s*rel="?next"?', headers.get("Link", ""))
            if following is None:
                break
            url = urljoin(url, following[1])
            if urlsplit(url).netloc != self._host:
                raise Failed(f"the registry {self._host} sends its list of tags from another host, {url}.")
        return found

    def _get(self, url: str, image: Reference, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
        token = self._tokens.get(image.repository)
        try:
            return self._open(url, {**headers, **_bearer(token)})
        except urllib.error.HTTPError as error:
            challenge = error.headers.get("WWW-Authenticate", "")
            if error.code != 401 or token or not challenge.lower().startswith("bearer "):
                raise self._refused(error, image) from None
        self._tokens[image.repository] = self._token(challenge, image)
        try:
            return self._open(url, {**headers, **_bearer(self._tokens[image.repository])})
        except urllib.error.HTTPError as error:
            raise self._refused(error, image) from None

    def _token(self, challenge: str, image: Reference) -> str:
        """An anonymous token (distribution: "Token Authentication Specification")."""
        asked = dict(_PARAMETER.findall(challenge))
        realm = urlsplit(asked.get("realm", ""))
        if realm.scheme != "https" and realm.hostname not in _LOCAL:
            raise Failed(f"the registry {self._host} asks for a token from {asked.get('realm')!r}, which has no TLS.")
        query = {name: asked[name] for name in ("service", "scope") if name in asked}
        url = f"{asked['realm']}{'&' if realm.query else '?'}{urlencode(query)}"
        try:
            body, _ = self._open(url, {})
        except urllib.error.HTTPError as error:
            raise self._refused(error, image) from None
        answer = _json(body, self._host)
        return str(answer.get("token") or answer.get("access_token") or "")

    def _open(self, url: str, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of an answer.

        Raises:
            Failed: there is none.
            urllib.error.HTTPError: it is an error.
        """
        request = urllib.request.Request(url, headers={"User-Agent": "omero-on-aws", **headers})  # noqa: S310 - checked
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                body: bytes = answer.read(MOST_BYTES + 1)
                given = dict(answer.headers.items())
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            said = getattr(error, "reason", error)
            raise Failed(
                trust.fault(f"{url} {said}")
                or f"the registry {self._host} cannot be reached ({said}); check the network and HTTPS_PROXY, or run "
                "this where it can be reached."
            ) from None
        if len(body) > MOST_BYTES:
            raise Failed(f"the registry {self._host} answers with more than {MOST_BYTES} bytes, which is no manifest.")
        return body, {name.title(): value for name, value in given.items()}

    def _refused(self, error: urllib.error.HTTPError, image: Reference) -> Failed:
        match error.code:
            case 404:
                return Failed(f"the registry {self._host} has no {image}; correct the name or the tag.")
            case 401 | 403:
                return Failed(
                    f"the registry {self._host} shows {image.repository} only to those who log in, or has no such "
                    "repository; correct the name, or give the digest yourself."
                )
            case 429:
                return Failed(f"the registry {self._host} has been asked too often from here; try again in an hour.")
            case code:
                return Failed(f"the registry {self._host} answers {code} for {image}; try again later.")


def _bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _json(body: bytes, host: str) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Failed(f"the registry {host} answers with something else than JSON, perhaps a proxy's page.")
    return found
