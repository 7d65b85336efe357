"""A proxy that inspects TLS, as hospitals have: it answers CONNECT with a certificate of its own authority.

Nothing leaves this machine: it stands in for every host itself, and gives the pages that a test has put there.
"""

from __future__ import annotations

import datetime
import functools
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a host answers."""

    body: bytes
    kind: str = "text/html"
    status: int = 200


@dataclass(kw_only=True)
class Interception:
    """A running proxy. `pages` are by (host, path); `asked` has what clients asked for inside TLS.

    `trusting` is a bundle with the proxy's authority in it, and `unaware` one without.
    """

    url: str
    trusting: Path
    unaware: Path
    pages: dict[tuple[str, str], Page] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def environ(self, bundle: Path) -> dict[str, str]:
        """The variables of a machine behind the proxy, with `bundle` as its store of certificates."""
        return {"HTTPS_PROXY": self.url, "HTTP_PROXY": self.url, "SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": "/none"}


class Authority:
    """An authority that signs a certificate for any host; its files are in `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.context = functools.cache(self._context)

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def _context(self, host: str) -> ssl.SSLContext:
        """What a server needs to pass for `host`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(subject, self._name, key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = self._folder / f"{host}.pem"
        file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
        **dict.fromkeys(others, False),
    )


@contextmanager
def intercepting(folder: Path) -> Iterator[Interception]:
    """Run the proxy on loopback; its certificates are in `folder`."""
    authority, stranger = Authority(folder, "Hospital Root"), Authority(folder, "Another Root")
    trusting, unaware = folder / "trusting.pem", folder / "unaware.pem"
    trusting.write_bytes(stranger.pem() + authority.pem())
    unaware.write_bytes(stranger.pem())

    class Host(BaseHTTPRequestHandler):
        """One connection to a host that the proxy stands in for."""

        protocol_version = "HTTP/1.1"
        host = ""

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            proxy.asked.append((self.host, path))
            page = proxy.pages.get((self.host, path), Page(body=b"not found", status=404))
            self.send_response(page.status)
            self.send_header("Content-Type", page.kind)
            self.send_header("Content-Length", str(len(page.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(page.body)

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            host = self.path.partition(":")[0]
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            # Whoever does not trust the certificate hangs up, here or in the middle of an answer.
            try:
                with authority.context(host).wrap_socket(self.connection, server_side=True) as connection:
                    methods = dict.fromkeys(("do_GET", "do_HEAD", "do_POST", "do_PUT"), Host.answer)
                    handler: Any = type("Host", (Host,), {"host": host, **methods})
                    handler(connection, self.client_address, self.server)
            except OSError:
                return

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    proxy = Interception(url=f"http://127.0.0.1:{server.server_port}", trusting=trusting, unaware=unaware)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
