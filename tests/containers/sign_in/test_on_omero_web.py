"""The app in the real OMERO.web: what a browser gets, and what OMERO is asked for."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from containers import package
from modules.sign_in import APPENDED, LONG_HEADERS, PROPERTIES, SignInProps
from tests.containers.sign_in.balancer_help import EXPECTED, KID, Balancer

pytestmark = pytest.mark.peers
ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / ".tools" / "web" / "bin" / "python"
NOT_INSTALLED = "the real OMERO.web is not installed in .tools/web"
DRIVER = Path(__file__).with_name("omero_web_driver.py")
SESSION = "/sign_in/session/"
OURS, OTHER = Balancer(), Balancer()
SERVERS = [["writer.lab.omero.internal", 4064, "omero"], ["reader.lab.omero.internal", 4064, "read-only-1"]]


class Keys(BaseHTTPRequestHandler):
    """AWS's address of public keys."""

    def do_GET(self) -> None:
        known = self.path == f"/keys/{KID}"
        self.send_response(200 if known else 403)
        self.end_headers()
        self.wfile.write(OURS.pem.encode() if known else b"<Error><Code>AccessDenied</Code></Error>")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the app is, as it travels."""
    folder = tmp_path_factory.mktemp("app")
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(package("sign_in")))) as archive:
        archive.extractall(folder)  # noqa: S202 - our own; Python before 3.11.4 has no filters
    return folder


@pytest.fixture(scope="module")
def keys() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/keys"
    server.shutdown()
    server.server_close()


def environment(app: Path, omerodir: Path, keys: str, group: str | None = None) -> dict[str, str]:
    """The container's, as the task's definition has it."""
    props = SignInProps(
        signer=EXPECTED.signer,
        issuer=EXPECTED.issuer,
        client_id=EXPECTED.client_id,
        keys_url=keys,
        user_claim="email",
        account="sudoer",
        password_arn="arn",
        new_user_group=group,
        session_seconds=28_800,
    )
    given = {name: value for name, value in props.environment().items() if name != "PROGRAM"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OMERO")}
    paths = {"OMERODIR": str(omerodir), "PYTHONPATH": str(app), "TMPDIR": str(omerodir)}
    return {**clean, **given, **paths, "SIGN_IN_PASSWORD": "of the account"}


def properties(servers: list[list[Any]]) -> dict[str, str]:
    apps = ["omero_figure", APPENDED["omero.web.apps"]]
    return {**PROPERTIES, "omero.web.apps": json.dumps(apps), "omero.web.server_list": json.dumps(servers)}


@dataclass
class Web:
    """An OMERO.web that a test sends requests to."""

    process: subprocess.Popen[str]
    asked: list[Any]

    def __call__(self, *requests: Any, up: bool = True) -> list[Any]:
        """Send requests of one browser: paths, or more about each."""
        listed = [each if isinstance(each, dict) else {"path": each} for each in requests]
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"requests": listed, "up": up}) + "\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        self.asked = found["asked"]
        answers: list[Any] = found["answers"]
        return answers


@pytest.fixture(scope="module")
def start(app: Path, keys: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Web]]:
    assert PYTHON.exists(), NOT_INSTALLED
    running: list[subprocess.Popen[str]] = []

    def starting(*, servers: list[list[Any]] = SERVERS[:1], group: str | None = None) -> Web:
        omerodir = tmp_path_factory.mktemp("omero")
        process = subprocess.Popen(
            [PYTHON, DRIVER],
            env=environment(app, omerodir, keys, group),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdin
        process.stdin.write(json.dumps({"properties": properties(servers)}) + "\n")
        return Web(process, [])

    yield starting
    for process in running:
        process.communicate()


@pytest.fixture(scope="module")
def web(start: Callable[..., Web]) -> Web:
    return start()


@pytest.fixture(scope="module")
def two_servers(start: Callable[..., Web]) -> Web:
    """With a read-only server, and a group for whom OMERO does not know yet."""
    return start(servers=SERVERS, group="pathology")


def signed_in(path: str = SESSION, *, by: Balancer = OURS, claims: Any = None, **changes: Any) -> dict[str, Any]:
    """A request that a balancer has authenticated."""
    ends = {"exp": int(time.time()) + 120, **changes}
    return {"path": path, "headers": {"x-amzn-oidc-data": by.token(claims, **ends)}}


def test_whom_the_balancer_has_signed_in_is_logged_in(web: Web) -> None:
    (answer,) = web(signed_in())
    assert (answer["status"], answer["location"]) == (302, "/webclient/")
    assert answer["connector"]["omero_session_key"] == "uuid-of-alice@example.org"
    assert answer["connector"]["server_id"] == 1
    host, port, name = SERVERS[0]
    assert (name, web.asked) == (
        "omero",
        [
            ["connect", host, port, "sudoer", "of the account"],
            ["session", "alice@example.org", 28_800_000, 600_000],
            ["closed"],
        ],
    )


def test_the_session_gets_another_cookie(web: Web) -> None:
    """Else whoever planted a cookie would be logged in as whoever signs in with it."""
    planted, answer = web(signed_in(), signed_in())
    assert planted["new_key"]
    assert answer["new_key"]


def test_a_page_of_omero_web_leads_to_the_balancer_and_back(web: Web) -> None:
    deep = "/webclient/?show=image-7"
    (sent,) = web(deep)
    assert sent["status"] == 302
    (on,) = web(sent["location"])
    assert urlsplit(on["location"]).path == SESSION
    assert parse_qs(urlsplit(on["location"]).query) == {"server": ["1"], "url": [deep]}
    (back,) = web(signed_in(on["location"]))
    assert (back["status"], back["location"]) == (302, deep)


@pytest.mark.parametrize(
    "url",
    ["https://evil.example.org/", "//evil.example.org/", "/\\evil.example.org", "javascript:alert(1)", "\t//evil"],
)
def test_nobody_is_sent_to_another_site(web: Web, url: str) -> None:
    (on,) = web(f"/sign_in/?url={quote(url)}")
    assert on["location"].startswith(SESSION)
    (back,) = web(signed_in(on["location"]))
    assert (back["status"], back["location"]) == (302, "/webclient/")


HOSTILE: dict[str, dict[str, Any]] = {
    "no token": {"path": SESSION},
    "empty": {"path": SESSION, "headers": {"x-amzn-oidc-data": ""}},
    "alg none": signed_in(alg="none"),
    "HS256": signed_in(alg="HS256"),
    "signer": signed_in(signer=EXPECTED.signer.replace("123456789012", "210987654321")),
    "issuer": signed_in(iss="https://evil.example.org"),
    "client": signed_in(client="another"),
    "expired": signed_in(exp=1_000_000_000),
    "far": signed_in(exp=4_000_000_000),
    "text": signed_in(exp="4000000000"),
    "kid": signed_in(kid=f"../{KID}"),
    "unknown kid": signed_in(by=OTHER),
    "not in the path": {**signed_in(by=OTHER), "path": "/%73ign_in/session/"},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_forged_or_foreign_token_is_401(web: Web, kind: str) -> None:
    (answer,) = web(HOSTILE[kind])
    assert answer["status"] == 401
    assert (answer["connector"], answer["cookies"], web.asked) == (None, {}, [])


def test_a_key_that_cannot_be_had_is_503(web: Web) -> None:
    (answer,) = web(signed_in(kid="b3a1c0de-0000-4000-8000-00000000000b"))
    assert (answer["status"], answer["connector"], web.asked) == (503, None, [])


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"sub": "7"}, "gave no email"),
        ({"email": "stranger@example.org"}, "has no user stranger@example.org"),
        ({"email": "root"}, "administrator"),
        ({"email": "guest"}, "guest"),
        ({"email": "boss"}, "administrator"),
        ({"email": "gone"}, "not active"),
        ({"email": "<script>alert(1)</script>"}, "&lt;script&gt;"),
    ],
)
def test_whom_nobody_may_be_signed_in_as_is_403(web: Web, claims: dict[str, str], said: str) -> None:
    (answer,) = web(signed_in(claims=claims))
    assert (answer["status"], answer["connector"]) == (403, None)
    assert said in answer["text"]
    assert "<script>" not in answer["text"]
    assert not [each for each in web.asked if each[0] in ("session", "create")]


def test_an_omero_that_is_away_is_503(web: Web) -> None:
    (answer,) = web(signed_in(), up=False)
    assert (answer["status"], answer["connector"]) == (503, None)
    assert web.asked[-1] == ["closed"]


@pytest.mark.parametrize("method", ["post", "put", "head"])
def test_only_a_page_that_is_asked_for_logs_in(web: Web, method: str) -> None:
    (answer,) = web({**signed_in(), "method": method})
    assert (answer["status"], answer["connector"], web.asked) == (405, None, [])


def test_logging_out_ends_the_balancers_session_and_signs_nobody_in(web: Web) -> None:
    _, out = web(signed_in(), {"path": "/webclient/logout/", "method": "post"})
    assert (out["status"], out["location"], out["connector"]) == (302, "/sign_in/", None)
    (page,) = web(out["location"])
    assert page["status"] == 200
    assert page["cookies"] == {f"AWSELBAuthSessionCookie-{number}": "0" for number in range(4)}
    assert "You are not signed in." in page["text"]
    assert f'href="{SESSION}?server=1"' in page["text"]


def test_root_has_omeros_own_page(web: Web) -> None:
    (page,) = web("/webclient/login/")
    assert page["status"] == 200
    assert 'name="password"' in page["text"]


def test_people_choose_between_servers(two_servers: Web) -> None:
    (page,) = two_servers("/sign_in/?url=/webclient/%3Fshow%3Dimage-7")
    assert (page["status"], page["cookies"]) == (200, {})
    assert "Sign in to omero<" in page["text"]
    assert f'href="{SESSION}?server=2&amp;url=%2Fwebclient%2F%3Fshow%3Dimage-7"' in page["text"]
    (answer,) = two_servers(signed_in(f"{SESSION}?server=2"))
    assert answer["connector"]["server_id"] == 2
    assert two_servers.asked[-3][1] == SERVERS[1][0]


def test_whom_omero_does_not_know_is_made_by_the_writer(two_servers: Web) -> None:
    claims = {"email": "new@example.org", "given_name": "Ada"}
    (answer,) = two_servers(signed_in(f"{SESSION}?server=2", claims=claims))
    assert answer["status"] == 302
    assert [each[:2] for each in two_servers.asked] == [
        ["connect", SERVERS[0][0]],
        ["create", "new@example.org"],
        ["closed"],
        ["connect", SERVERS[1][0]],
        ["session", "new@example.org"],
        ["closed"],
    ]
    assert two_servers.asked[1][2:] == ["Ada", "new@example.org", "new@example.org"]


def test_whom_omero_knows_is_not_made_again_nor_an_administrator(two_servers: Web) -> None:
    for name, status in (("alice@example.org", 302), ("root", 403), ("gone", 403)):
        (answer,) = two_servers(signed_in(claims={"email": name}))
        assert answer["status"] == status
        assert "create" not in [each[0] for each in two_servers.asked]


@pytest.mark.parametrize(("options", "status"), [([], 431), (LONG_HEADERS.split(), 200)], ids=["without", "with"])
def test_a_balancers_long_cookie_needs_longer_headers(
    app: Path, keys: str, tmp_path: Path, options: list[str], status: int
) -> None:
    """The real gunicorn, as `omero web start` starts it."""
    assert PYTHON.exists(), NOT_INSTALLED
    for folder in ("etc/grid", "var/log", "lib/python"):
        (tmp_path / folder).mkdir(parents=True)
    place = tmp_path / "socket"
    command = [str(PYTHON), "-m", "gunicorn", "omeroweb.wsgi:application", "--bind", f"unix:{place}", *options]
    with subprocess.Popen(
        command, env=environment(app, tmp_path, keys), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stderr
            assert any("Listening at" in line for line in running.stderr)
            connection = HTTPConnection("localhost")
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(place))
            connection.request("GET", "/index/", headers={"Cookie": f"AWSELBAuthSessionCookie-0={'x' * 8_300}"})
            assert connection.getresponse().status == status
            connection.close()
        finally:
            running.terminate()
            running.communicate()
