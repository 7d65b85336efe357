"""Serves the extended moto from this process: listen, say how to use it, stop cleanly."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
# Where the server finds its own endpoint, to tell others.
ENDPOINT = "LOCAL_AWS_ENDPOINT"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_REGION = re.compile(r"^[a-z]{2}(-[a-z]+)+-\d$")


class NotStarted(Exception):
    """The server could not be started; the message is one sentence."""


def environment(endpoint: str, region: str) -> dict[str, str]:
    """The variables that point boto3, the AWS CLI and Terraform at `endpoint`.

    One attempt only: an action that is not implemented fails at once. No instance metadata: SDKs would
    wait for an address that is not there. No proxy, where the environment names one: it cannot reach this machine.
    """
    return {
        **past_proxies(os.environ),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def past_proxies(env: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY with this machine added, under each of its two names that `env` has; empty where `env` has no proxy."""
    if not any(env.get(name) or env.get(name.lower()) for name in _PROXIES):
        return {}
    names = [name for name in ("NO_PROXY", "no_proxy") if env.get(name)] or ["NO_PROXY"]
    return {name: _with(env.get(name, ""), HOST, "localhost") for name in names}


def _with(listed: str, *hosts: str) -> str:
    """A list such as NO_PROXY's with `hosts` in it."""
    words = [word.strip() for word in listed.split(",") if word.strip()]
    return ",".join([*words, *(host for host in hosts if host not in words)])


def serve(*, port: int, region: str, state_file: Path | None, quiet: bool, stop_with_stdin: bool = False) -> None:
    """Serve on 127.0.0.1:`port` (0: a free one) until SIGINT or SIGTERM.

    Raises NotStarted for a port in use, an impossible region, or a state file that cannot be written.
    """
    if not _REGION.match(region):
        raise NotStarted(f"'{region}' is no AWS region; give one such as eu-west-1.")
    if state_file is not None and not state_file.absolute().parent.is_dir():
        raise NotStarted(f"the state file {state_file} cannot be written: its folder does not exist.")
    listener = _listen(port)
    endpoint = f"http://{HOST}:{listener.getsockname()[1]}"
    os.environ[ENDPOINT] = endpoint
    os.environ.update(past_proxies(os.environ))  # it asks itself, and so do the functions and tasks it runs
    try:
        server = _server(listener, quiet)
        _stop_on_signals()
        if stop_with_stdin:
            threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
        for name, value in environment(endpoint, region).items():
            _say(f"export {name}={shlex.quote(value)}")
        _say(f"# AWS on this machine: {endpoint}; Ctrl-C stops it and forgets everything.")
        if state_file is not None:
            _write(state_file, {"port": listener.getsockname()[1], "pid": os.getpid(), "endpoint": endpoint})
        server.run()
    finally:
        listener.close()
        if state_file is not None:
            state_file.unlink(missing_ok=True)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise NotStarted(
            f"port {port} cannot be used ({error.strerror}); give another one, or 0 for a free one."
        ) from error
    return listener


def _server(listener: socket.socket, quiet: bool) -> Any:
    # Imported here: moto takes a second or two, and reads some settings when it is imported.
    from local_aws.install import install  # noqa: PLC0415

    install()
    from waitress.channel import HTTPChannel  # noqa: PLC0415
    from waitress.server import create_server  # noqa: PLC0415

    from local_aws.application import LocalAwsApplication  # noqa: PLC0415

    class Channel(HTTPChannel):
        def send_continue(self) -> None:
            # waitress 3.0.2 then waits for a body, also where none follows: S3 gets empty objects.
            if self.request and not self.request.completed:
                super().send_continue()

    # Connections stay open longer than a client keeps an idle one (Go: 90 seconds), and there are threads for all
    # that wait in a request, such as SQS's long polls. An answer's headers go out with its body: Terraform takes
    # headers that come alone, as on a busy machine, for a failed request, and asks again.
    server: Any = create_server(
        LocalAwsApplication(quiet=quiet),
        sockets=[listener],
        threads=64,
        connection_limit=1000,
        channel_timeout=600,
        send_bytes=2**16,
        max_request_body_size=5 * 2**30,  # S3's largest PutObject
        asyncore_use_poll=True,
    )
    server.channel_class = Channel
    return server


def _stop_on_signals() -> None:
    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise SystemExit  # ends server.run()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _stop_at_end_of_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _write(path: Path, state: dict[str, Any]) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(state), encoding="utf-8")
    draft.replace(path)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201
