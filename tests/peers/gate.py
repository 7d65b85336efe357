"""The gate of a cache that lets in by IAM, before a real Redis: what ElastiCache's own guide says that it takes.

A connection begins with AUTH, or HELLO with AUTH, by the name of a user, and as password a request that the user's
role has signed less than 15 minutes ago (ElastiCache User Guide, "Authenticating with IAM"). The witness for the
signature is botocore's signer. Whoever is let in is the Redis' own user, whose rights are those of the access string.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from unittest import mock
from urllib.parse import parse_qsl, urlencode, urlsplit

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROLE = Credentials("ASIAEXAMPLE", "secret/of+the/role", "session/token+with==signs")
OWN_USER, OWN_PASSWORD = "sessions", "known-to-the-gate-alone"
GOOD_FOR = timedelta(minutes=15)


def wrong(user: str, password: str, *, region: str, caches: dict[str, str]) -> str:
    """Why ElastiCache refuses it; empty if it does not. `caches` are the names of caches by their users."""
    url = urlsplit(f"https://{password}")
    given = dict(parse_qsl(url.query))
    if url.netloc != caches.get(user, "") or (given.get("Action"), given.get("User")) != ("connect", user):
        return f"no request to connect to a cache of {user}"
    signed = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if given.get("X-Amz-Expires") != "900" or not timedelta(0) <= datetime.now(UTC) - signed < GOOD_FOR:
        return "it has ended"
    asked = AWSRequest("GET", f"https://{url.netloc}/?{urlencode({'Action': 'connect', 'User': user})}")
    with mock.patch.object(auth, "get_current_datetime", return_value=signed):
        auth.SigV4QueryAuth(ROLE, "elasticache", region, expires=900).add_auth(asked)
    return "" if dict(parse_qsl(urlsplit(str(asked.url)).query)) == given else "its signature is another"


class Gate:
    """Before the Redis at `behind`, over TLS on both sides. `let_in` and `refused` are what came, in its order."""

    def __init__(self, *, port: int, behind: int, certificate: str, key: str, region: str) -> None:
        self.caches: dict[str, str] = {}
        self.let_in: list[str] = []
        self.refused: list[str] = []
        self._behind, self._region = behind, region
        self._server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.load_cert_chain(certificate, key)
        self._client = ssl.create_default_context(cafile=certificate)
        self._listening = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listening.accept()[0],), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), self._server.wrap_socket(plain, server_side=True) as client:
            words = _command(client)
            at = next((place for place, word in enumerate(words) if word.upper() == "AUTH"), None)
            given = words[at + 1 : at + 3] if at is not None else []
            said = wrong(*given, region=self._region, caches=self.caches) if len(given) == 2 else "no user"
            if at is None or said:
                self.refused.append(said)
                known = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
                client.sendall(known if given else b"-NOAUTH Authentication required.\r\n")
                return
            self.let_in.append(given[1])
            words[at + 1 : at + 3] = [OWN_USER, OWN_PASSWORD]
            with (
                socket.create_connection(("127.0.0.1", self._behind)) as behind,
                self._client.wrap_socket(behind, server_hostname="localhost") as cache,
            ):
                cache.sendall(_written(words))
                back = threading.Thread(target=_copy, args=(cache, client), daemon=True)
                back.start()
                _copy(client, cache)
                back.join()


def _copy(source: ssl.SSLSocket, target: ssl.SSLSocket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _command(client: ssl.SSLSocket) -> list[str]:
    """A command as Redis' clients write it (RESP). Raises OSError if there is none."""
    return [_string(client) for _ in range(int(_line(client)[1:]))]


def _string(client: ssl.SSLSocket) -> str:
    length = int(_line(client)[1:]) + 2
    found = b""
    while len(found) < length:
        found += _some(client, length - len(found))
    return found[:-2].decode()


def _line(client: ssl.SSLSocket) -> str:
    found = b""
    while not found.endswith(b"\r\n"):
        found += _some(client, 1)
    return found.decode()


def _some(client: ssl.SSLSocket, size: int) -> bytes:
    data = client.recv(size)
    if not data:
        raise ConnectionError("the client has gone")
    return data


def _written(words: list[str]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(each.encode()), each.encode()) for each in words)
