"""Whether OMERO.server reaches its directory: each step by itself, and one sentence about the first that fails.

Python's own library alone, for that is what OMERO's image has: two requests of LDAP (RFC 4511) in their encoding.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

SECONDS = 10
_BIND, _SEARCH, _BOUND, _FOUND, _DONE = 0x60, 0x63, 0x61, 0x64, 0x65
_OCTETS, _INTEGER, _ENUMERATED, _BOOLEAN, _SEQUENCE, _SIMPLE, _PRESENT = 0x04, 0x02, 0x0A, 0x01, 0x30, 0x80, 0x87
_WORDS = {
    1: "it wants a log-in before a search",
    32: "it has no such entry",
    49: "it does not know that name with that password",
    50: "that name may not search there",
}


class Failed(Exception):
    """The sentence."""


def _part(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _read(stream: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = stream.recv(size - len(found))
        if not more:
            raise Failed("it closes the connection without an answer")
        found += more
    return found


def _take(data: bytes) -> tuple[int, bytes, bytes]:
    """The first part's tag and content, and what comes after it."""
    tag, size, at = data[0], data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    return tag, data[at : at + size], data[at + size :]


def _message(stream: socket.socket) -> tuple[int, bytes]:
    head = _read(stream, 2)
    if head[0] != _SEQUENCE:
        raise Failed("it does not answer as a directory does")
    more = _read(stream, head[1] & 0x7F) if head[1] & 0x80 else b""
    content = _read(stream, int.from_bytes(more, "big") if more else head[1])
    _, _, rest = _take(content)  # the message's number
    tag, operation, _ = _take(rest)
    return tag, operation


def _code(operation: bytes) -> int:
    return int.from_bytes(_take(operation)[1], "big")


def _bind(stream: socket.socket, name: str, password: str) -> None:
    request = _part(_BIND, _part(_INTEGER, b"\3"), _part(_OCTETS, name.encode()), _part(_SIMPLE, password.encode()))
    stream.sendall(_part(_SEQUENCE, _part(_INTEGER, b"\1"), request))
    tag, operation = _message(stream)
    if tag != _BOUND or _code(operation):
        code = _code(operation)
        raise Failed(f"it refuses the log-in as {name or 'nobody'}: {_WORDS.get(code, f'result code {code}')}")


def _look(stream: socket.socket, base: str) -> None:
    """Read the base itself, without its attributes."""
    scope = (_part(_ENUMERATED, b"\0"), _part(_ENUMERATED, b"\0"), _part(_INTEGER, b"\1"), _part(_INTEGER, b"\x0a"))
    what = (_part(_BOOLEAN, b"\xff"), _part(_PRESENT, b"objectClass"), _part(_SEQUENCE, _part(_OCTETS, b"1.1")))
    stream.sendall(
        _part(_SEQUENCE, _part(_INTEGER, b"\2"), _part(_SEARCH, _part(_OCTETS, base.encode()), *scope, *what))
    )
    found = False
    while True:
        tag, operation = _message(stream)
        found = found or tag == _FOUND
        if tag == _DONE:
            code = _code(operation)
            if code or not found:
                raise Failed(f"the base {base} cannot be read: {_WORDS.get(code or 32, f'result code {code}')}")
            return


def _trust(certificates: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if certificates:
        context.load_verify_locations(cadata=certificates)
    return context


def check(url: str, certificates: str, name: str, password: str, base: str) -> None:
    """Raises Failed at the first step that fails."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 636
    try:
        address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        raise Failed(f"its name {host} is not known here; look at the VPC's DNS") from None
    try:
        plain = socket.create_connection((address, port), timeout=SECONDS)
    except OSError as error:
        raise Failed(
            f"{address} does not answer on port {port} ({error}); look at omero.ldap.cidrs and the routes to it"
        ) from None
    with plain:
        try:
            stream = _trust(certificates).wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise Failed(
                f"its certificate is refused: {error.verify_message}; give its authority as omero.ldap.ca_certificate, "
                "and its name as in the certificate"
            ) from None
        except OSError as error:
            raise Failed(f"it does not speak TLS on port {port} ({error})") from None
        try:
            _bind(stream, name, password)
            _look(stream, base)
        except OSError as error:
            raise Failed(f"it does not answer ({error})") from None


def main() -> int:
    """Print what came out; the exit code says it too."""
    values = {
        name: os.environ.get(f"CONFIG_omero_ldap_{name}", "") for name in ("urls", "username", "password", "base")
    }
    try:
        check(
            values["urls"],
            os.environ.get("TRUSTED_CERTIFICATES", ""),
            values["username"],
            values["password"],
            values["base"],
        )
    except Failed as error:
        sys.stdout.write(f"The directory {values['urls']} cannot be used: {error}.\n")
        return 1
    sys.stdout.write(f"The directory {values['urls']} answers, and its base {values['base']} can be read.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
