"""Activation: the keys that a gateway's machine gives out over HTTP, and the machines that do so on this one.

A gateway's machine answers on port 80 until it is activated:
`/?activationRegion=eu-west-1&gatewayType=FILE_S3` with 302 and the key in `Location` (`activationKey=`), and with
`&no_redirect` with the key alone as text. https://docs.aws.amazon.com/filegateway/latest/files3/get-activation-key.html

Such machines are started with POST on `/_local/storagegateway/appliances` of the server's endpoint: `{"Address":
"127.0.0.2", "Port": 80, "InstanceId": "i-..."}`, all of it optional (127.0.0.1; 0, a free port; no instance). GET
lists those that run, DELETE ends them all. A port below 1024 takes the rights to it. A caller that is not on the
network gets a key from `issue_key`.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import string
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from local_aws.application import LocalAwsApplication
from local_aws.services.storagegateway.settings import KEY_SECONDS

RESOURCE = "/_local/storagegateway/appliances"
_ALPHABET = string.ascii_uppercase + string.digits


@dataclass
class Key:
    """What stands behind an activation key; `machine` is where it came from."""

    region: str
    instance_id: str | None
    address: str
    issued: float
    used: bool = False

    @property
    def has_expired(self) -> bool:
        return time.time() > self.issued + KEY_SECONDS


_keys: dict[str, Key] = {}
_appliances: list[Appliance] = []


def issue_key(region: str, *, instance_id: str | None = None, address: str = "127.0.0.1") -> str:
    """A new activation key for a gateway in that region: five groups of five letters and digits."""
    key = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(5))
    _keys[key] = Key(region, instance_id, address, time.time())
    return key


def find_key(key: str) -> Key | None:
    """What stands behind a key; None for one that was never issued."""
    return _keys.get(key)


class Machine:
    """A gateway's machine, as far as its activation goes: it gives out keys until one of them is used."""

    def __init__(self, address: str, instance_id: str | None = None) -> None:
        self.address, self.instance_id, self.keys = address, instance_id, set[str]()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path with its query."""
        query = parse_qs(urlsplit(path).query, keep_blank_values=True)
        region = (query.get("activationRegion") or [""])[0]
        if not region:
            return 400, {}, b"activationRegion is missing"
        with LocalAwsApplication.lock_for_backends:
            if any(_keys[key].used for key in self.keys):
                return 404, {}, b"The gateway is activated"
            key = issue_key(region, instance_id=self.instance_id, address=self.address)
            self.keys.add(key)
        if "no_redirect" in query:
            return 200, {"Content-Type": "text/plain"}, key.encode()
        shown = {
            "gatewayType": (query.get("gatewayType") or ["FILE_S3"])[0],
            "activationRegion": region,
            "activationKey": key,
        }
        if endpoint := query.get("vpcEndpoint"):
            shown["vpcEndpoint"] = endpoint[0]
        location = f"https://{region}.console.aws.amazon.com/storagegateway/home?{urlencode(shown)}"
        return 302, {"Location": location}, b""


class Appliance(Machine):
    """Such a machine as a small HTTP server on a loopback address."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, instance_id: str | None = None) -> None:
        """Raises ValueError for another address than a loopback one, OSError where it cannot listen there."""
        if not ipaddress.ip_address(address).is_loopback:
            raise ValueError(f"Address is {address}; an address of 127.0.0.0/8 is allowed.")
        super().__init__(address, instance_id)
        appliance = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = appliance.answer(self.path)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((address, port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name=f"gateway {address}", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def shown(self) -> dict[str, Any]:
        return {"Address": self.address, "Port": self.port, "InstanceId": self.instance_id}


def resource(method: str, body: bytes) -> tuple[int, Any]:
    """Start, list and end machines; see the module's docstring."""
    if method == "POST":
        try:
            request = json.loads(body or b"{}")
            made = Appliance(
                str(request.get("Address") or "127.0.0.1"), int(request.get("Port") or 0), request.get("InstanceId")
            )
        except (ValueError, OSError) as error:
            return 400, {"message": str(error)}
        _appliances.append(made)
        return 201, made.shown()
    if method == "DELETE":
        while _appliances:
            _appliances.pop().stop()
    elif method != "GET":
        return 405, {"message": "GET, POST and DELETE are allowed."}
    return 200, {"Appliances": [each.shown() for each in _appliances]}
