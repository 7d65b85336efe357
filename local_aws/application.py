"""The WSGI application: moto's dispatcher, with answers in AWS's own form for what moto cannot do.

moto 5.2.5 answers an action it lacks with a Python traceback and status 500, and a path it lacks with an
HTML page. SDKs retry a 500 with back-off (Terraform 25 times), so that a gap looks like a hang. Here both
become an error of the service's own protocol, with code `NotImplemented` and status 501, which no SDK
retries, and a line in the log. An unexpected exception becomes `LocalAwsFault`, with its traceback in the log.
Before a service answers, IAM decides whether the caller may ask (`local_aws.rights`).
"""

from __future__ import annotations

import base64
import http
import ipaddress
import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any, ClassVar
from urllib.parse import parse_qs

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.exceptions import HTTPException

from local_aws import clock, errors, faults
from local_aws.packets import Side
from local_aws.rights import requests as rights_of_requests
from local_aws.rights.policies import NotEvaluated
from local_aws.rights.requests import Denied

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

# These wait inside a request, or call the server again from inside one.
_NOT_SERIALISED = {"sqs", "stepfunctions", "awslambda", "cloudformation"}


class LocalAwsApplication(DomainDispatcherApplication):  # type: ignore[misc]
    """moto's dispatcher with AWS-like errors, a log line for each call and a clock that ticks before each.

    Requests run one at a time (but for services that wait inside one): moto's backends are plain
    dictionaries, and Terraform's ten parallel calls would now and then change one while another iterates.
    """

    lock_for_backends: ClassVar[threading.RLock] = threading.RLock()
    # Paths that no AWS service has: a function of the method and the body, to a status and what is answered as JSON.
    resources: ClassVar[dict[str, Callable[[str, bytes], tuple[int, Any]]]] = {}
    # The server is an HTTP proxy to the machines of its VPCs: functions of a private address, a path with its query and
    # who calls (None: unknown), to status, headers and body, or None if there is no such machine.
    machines: ClassVar[list[Callable[[str, str, Side | None], tuple[int, dict[str, str], bytes] | None]]] = []

    def __init__(self, *, quiet: bool = False) -> None:
        super().__init__(create_backend_app)
        self.quiet = quiet

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["RAW_URI"] = environ.get("REQUEST_URI", "")  # where moto looks for a path as it was sent
        path = environ.get("PATH_INFO", "")
        waiting = faults.at(path)
        if own := waiting.resource if waiting else self.resources.get(path):
            return self._own(own, environ, start_response)
        if address := _private_address(environ):
            return self._machine(address, environ, start_response)
        began = time.monotonic()
        answer = _Answer()
        service, action = errors.service(environ.get("HTTP_AUTHORIZATION", "")), ""
        try:
            action = self._action(environ, service)
            body = self._faulty(environ, answer, service, action)
        except Denied as error:
            body = answer.set_error(environ, service, error.status, error.code, error.message)
            sys.stderr.write(f"{error.code}: {error.message}\n")
        except NotImplementedError as error:
            body = self._refuse(environ, answer, service, action, error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            body = answer.set_error(
                environ, service, 501, "LocalAwsFault", f"local AWS failed in {service}:{action}: {error!r}"
            )
        if not self.quiet:
            took = (time.monotonic() - began) * 1000
            line = f"{time.strftime('%H:%M:%S')} {service}:{action} {answer.code} {took:.0f} ms{_again(environ)}"
            sys.stderr.write(f"{line}\n")
        start_response(answer.status, answer.headers)
        return [body]

    def _own(
        self, resource: Callable[[str, bytes], tuple[int, Any]], environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self.lock_for_backends:
            clock.tick()
            status, found = resource(environ["REQUEST_METHOD"], body)
        answer = json.dumps(found).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
        start_response(f"{status} {http.HTTPStatus(status).phrase}", headers)
        return [answer]

    def _machine(self, address: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = f"{environ.get('PATH_INFO', '/')}?{environ.get('QUERY_STRING', '')}"
        with self.lock_for_backends:
            clock.tick()
            caller = _caller(environ)
            found = (machine(address, path, caller) for machine in self.machines)
            status, headers, body = next(filter(None, found), (504, {}, f"nothing answers at {address}".encode()))
        if not self.quiet:
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} http://{address} {status}\n")
        more = {**headers, "Content-Length": str(len(body))}
        start_response(f"{status} {http.HTTPStatus(status).phrase}", list(more.items()))
        return [body]

    def _faulty(self, environ: Environ, answer: _Answer, service: str, action: str) -> bytes:
        """Answer, or meet the fault that is due, before anything is done or after."""
        waiting = faults.of(service)
        fault = waiting.before(action) if waiting else None
        if fault is None:
            body = self._answer(environ, answer, service, action)
            if waiting is None or answer.code >= 400 or (fault := waiting.after(action)) is None:
                return body
        return answer.set_error(environ, service, fault.status, fault.code, fault.message, **fault.members)

    def _answer(self, environ: Environ, answer: _Answer, service: str, action: str) -> bytes:
        try:
            app = self.get_application(environ)
        except Exception as error:
            raise NotImplementedError(str(error)) from error
        name = str(getattr(app, "service", ""))
        with self.lock_for_backends:
            clock.tick()
            rights_of_requests.check(environ, service, action)
        with nullcontext() if name in _NOT_SERIALISED else self.lock_for_backends:
            chunks = app(environ, answer)
            body = b"".join(chunks)
            getattr(chunks, "close", lambda: None)()
        if answer.code == 404 and name not in ("s3", "moto_api") and _is_unknown_route(app, environ, body):
            raise NotImplementedError(action)
        return body

    def _refuse(
        self, environ: Environ, answer: _Answer, service: str, action: str, error: NotImplementedError
    ) -> bytes:
        message = f"local AWS does not implement {service}:{action}"
        if isinstance(error, NotEvaluated):
            message = f"{service}:{action}: {error}"
        sys.stderr.write(f"NotImplemented: {message} ({error})\n")
        return answer.set_error(environ, service, 501, "NotImplemented", message)

    def _action(self, environ: Environ, service: str) -> str:
        """The action's name as AWS spells it; for a path that no operation has, the method and the path."""
        if target := environ.get("HTTP_X_AMZ_TARGET"):
            return str(target).rpartition(".")[2]
        named: list[str] = parse_qs(self._get_body(environ) or "").get("Action", [])
        if named:
            return named[0]
        try:
            operation, _ = get_service_router(service).match(Request({**environ, "wsgi.input": None}))
            return str(operation.name)
        except Exception:  # an unknown service, or a path that botocore's model does not have
            return f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def _again(environ: Environ) -> str:
    """That the client asks a second time, as SDKs say in a header; nothing if it is the first."""
    said = str(environ.get("HTTP_AMZ_SDK_REQUEST", ""))
    return "" if said.startswith("attempt=1") or not said else f" ({said})"


def _private_address(environ: Environ) -> str:
    """The address that a request to this server as proxy is for; empty for one to the server itself."""
    host = str(environ.get("HTTP_HOST", "")).partition(":")[0]
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return ""
    return host if address.is_private and not address.is_loopback else ""


def _caller(environ: Environ) -> Side | None:
    """Who asks the server as a proxy: its security groups as the proxy's user, and its address as the password."""
    scheme, _, encoded = str(environ.get("HTTP_PROXY_AUTHORIZATION", "")).partition(" ")
    if scheme.lower() != "basic":
        return None
    groups, _, address = base64.b64decode(encoded).decode("utf-8", "replace").partition(":")
    return Side(name="the caller", groups=tuple(groups.split(",")), address=address)


class _Answer:
    """Collects what an application passes to `start_response`."""

    def __init__(self) -> None:
        self.status = "500 Internal Server Error"
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.status, self.headers = status, headers

    @property
    def code(self) -> int:
        return int(self.status.split()[0])

    def set_error(self, environ: Environ, service: str, status: int, code: str, message: str, **members: str) -> bytes:
        """Turn into an error of the service's protocol; returns its body."""
        has_target = "HTTP_X_AMZ_TARGET" in environ
        content_type, body = errors.document(service, code, message, has_target=has_target, **members)
        self.status = f"{status} {code}"
        self.headers = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            *errors.headers(code),
        ]
        return body


def _is_unknown_route(app: Any, environ: Environ, body: bytes) -> bool:
    """Whether a 404 says "no such path here" and not "no such resource"."""
    if not body and environ["REQUEST_METHOD"] != "HEAD":
        return True  # moto's answer when a path matches no operation
    try:
        app.url_map.bind_to_environ(environ).match()
    except HTTPException:
        return True
    return False
