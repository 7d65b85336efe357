"""`sign-in discover` asks an identity provider over HTTPS, and prints a section that the settings take."""

from __future__ import annotations

import json
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scripts import console
from scripts.errors import Refused
from scripts.sign_in import command, discovery
from settings.sign_in import SignIn
from tests.settings.test_sign_in import LEAST


class Provider(BaseHTTPRequestHandler):
    """An identity provider, as far as it says who it is: `pages` by path."""

    pages: dict[str, Any]

    def do_GET(self) -> None:
        page = self.pages.get(self.path)
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write(page if isinstance(page, bytes) else json.dumps(page).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, with its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def provider(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Gives an issuer whose configuration is a good one with changes."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Pages", (Provider,), {"pages": {}})) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        issuer = f"https://localhost:{server.server_port}/realm"
        good = {"issuer": issuer, **{each: f"{issuer}/{each}" for each in discovery.ENDPOINTS}}

        def saying(page: Any = None, **changes: Any) -> str:
            pages = {f"/realm{discovery.SUFFIX}": {**good, **changes} if page is None else page}
            server.RequestHandlerClass.pages = pages  # type: ignore[attr-defined]
            return issuer

        yield saying
        server.shutdown()


def test_prints_a_section_that_the_settings_take(
    provider: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sign-in", "discover", provider(claims_supported=["sub"])])
    with pytest.raises(SystemExit) as left:
        console.run(command.app)
    assert not left.value.code
    printed = yaml.safe_load(capsys.readouterr().out)["sign_in"]
    missing = {key: LEAST[key] for key in ("client_id", "client_secret_arn")}
    assert SignIn.model_validate({**printed, **missing}).token_endpoint == f"{provider()}/token_endpoint"
    assert printed.keys() | missing.keys() == LEAST.keys()


@pytest.mark.parametrize("ending", ["", "/", discovery.SUFFIX])
def test_takes_the_issuer_as_people_copy_it(provider: Callable[..., str], ending: str) -> None:
    issuer = provider()
    assert discovery.discover(f"{issuer}{ending}")["issuer"] == issuer


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"page": b"<html>"}, "could not be read"),
        ({"page": []}, "is no OpenID configuration"),
        ({"userinfo_endpoint": None}, "has no userinfo_endpoint over HTTPS, but None"),
        ({"token_endpoint": "http://localhost/token"}, "has no token_endpoint over HTTPS"),
        ({"issuer": "https://login.example.org/{tenantid}/v2.0"}, "which is another one; give that one, with the tena"),
        ({"token_endpoint": "https://[::1]/token"}, "has no IPv4 address here"),
    ],
)
def test_refuses(provider: Callable[..., str], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        discovery.discover(provider(**changes))


def test_refuses_what_is_not_there_and_what_is_no_address(provider: Callable[..., str]) -> None:
    with pytest.raises(Refused, match="could not be read: Not Found; check the issuer"):
        discovery.discover(f"{provider()}/elsewhere")
    with pytest.raises(Refused, match=r"login\.example\.org is no HTTPS address"):
        discovery.discover("login.example.org")


def test_refuses_a_certificate_that_nobody_vouches_for(
    provider: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    issuer = provider()
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with pytest.raises(Refused, match=r"the certificate of localhost:\d+ is not trusted"):
        discovery.discover(issuer)
