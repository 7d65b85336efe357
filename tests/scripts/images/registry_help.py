"""Registries for tests: distribution's own where it is installed, and a stand-in that asks for a token as public ones.

The stand-in answers as the OCI distribution specification 1.1 says ("Pulling manifests", "Listing Tags", "Error Codes")
and as distribution's "Token Authentication Specification" does; what it leaves open is as distribution 2.8 does it (an
OCI manifest is not found by who does not accept one). The same tests run on both.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BINARY = shutil.which("docker-registry")
TOKEN = "anonymous-token"


def manifest(content: bytes) -> bytes:
    """An image manifest with one config and no layer."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(content)}
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()


class StandIn:
    """A registry on this machine. `asked` has path and Authorization of each request, `hurts` what to do wrong."""

    def __init__(self) -> None:
        self.manifests: dict[str, dict[str, bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.hurts = ""
        self.page = 1000
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def push(self, name: str, tag: str, content: bytes) -> str:
        """Put an image there; its digest."""
        made = manifest(content)
        self.manifests.setdefault(name, {})[tag] = made
        return f"sha256:{hashlib.sha256(made).hexdigest()}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(registry: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            path, authorization = urlsplit(self.path), self.headers.get("Authorization", "")
            registry.asked.append((self.path, authorization))
            if path.path == "/token":
                query = parse_qs(path.query)
                known = query.get("service") == ["stand-in"] and query["scope"][0].startswith("repository:")
                self._answer(200 if known else 400, {"token": TOKEN})
                return
            found = re.fullmatch(r"/v2/(.+)/(manifests/([^/]+)|tags/list)", path.path)
            if found is None:
                self._error(404, "UNSUPPORTED")
            elif registry.hurts == "busy":
                self._error(429, "TOOMANYREQUESTS")
            elif registry.hurts == "private" or authorization != f"Bearer {TOKEN}":
                scope = f"repository:{found[1]}:pull"
                realm = "http://example.org/token" if registry.hurts == "no TLS" else f"http://{registry.host}/token"
                said = f'Bearer realm="{realm}",service="stand-in",scope="{scope}"'
                self._error(401, "UNAUTHORIZED", {"WWW-Authenticate": said})
            elif found[1] not in registry.manifests:
                self._error(404, "NAME_UNKNOWN")
            elif found[3]:
                self._manifest(found[1], found[3])
            else:
                self._tags(found[1], parse_qs(path.query))

        def _manifest(self, name: str, tag: str) -> None:
            made = registry.manifests[name].get(tag)
            if made is None or MANIFEST not in self.headers.get("Accept", ""):
                self._error(404, "MANIFEST_UNKNOWN")
                return
            if registry.hurts == "redirect":
                self._send(307, b"", {"Location": "http://example.org/elsewhere"})
                return
            said = hashlib.sha256(b"another" if registry.hurts == "digest" else made).hexdigest()
            self._send(200, made, {"Content-Type": MANIFEST, "Docker-Content-Digest": f"sha256:{said}"})

        def _tags(self, name: str, query: dict[str, list[str]]) -> None:
            if registry.hurts == "page":
                self._send(200, b"<html>Log in</html>", {"Content-Type": "text/html"})
                return
            every = sorted(registry.manifests[name])
            size = min(registry.page, int(query.get("n", ["1000"])[0]))
            begin = next((i for i, tag in enumerate(every) if tag > query.get("last", [""])[0]), len(every))
            shown = every[begin : begin + size]
            more = begin + size < len(every)
            following = f"/v2/{name}/tags/list?last={shown[-1] if shown else ''}&n={size}"
            if registry.hurts == "elsewhere":
                following = f"http://example.org{following}"
            self._answer(200, {"name": name, "tags": shown}, {"Link": f'<{following}>; rel="next"'} if more else {})

        def _error(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
            self._answer(status, {"errors": [{"code": code, "message": code.lower(), "detail": {}}]}, headers or {})

        def _answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
            self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


class Distribution:
    """distribution's registry in a process of its own."""

    def __init__(self, host: str) -> None:
        self.host = host

    def push(self, name: str, tag: str, content: bytes) -> str:
        """As `StandIn.push`, by the specification's "Pushing"."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        begun = self._call("POST", f"http://{self.host}/v2/{name}/blobs/uploads/", b"")
        place = begun.headers["Location"]
        self._call("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", content)
        made = manifest(content)
        answer = self._call("PUT", f"http://{self.host}/v2/{name}/manifests/{tag}", made, MANIFEST)
        return str(answer.headers["Docker-Content-Digest"])

    def _call(self, method: str, url: str, body: bytes, type_: str = "application/octet-stream") -> Any:
        request = urllib.request.Request(url, body, {"Content-Type": type_}, method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer


@contextmanager
def distribution(folder: Path) -> Iterator[Distribution]:
    """It runs as long as the block does."""
    assert BINARY
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    (folder / "config.yml").write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: {host}\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [BINARY, "serve", str(folder / "config.yml")], stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}
        )
    try:
        deadline = time.monotonic() + 60
        while not _listens(host):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the registry does not listen"
            time.sleep(0.05)
        yield Distribution(host)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _listens(host: str) -> bool:
    name, _, port = host.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((name, int(port))) == 0
