"""Requests that are signed in their query, and a task role's credentials: botocore's are the witness for both."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import botocore.session
import pytest
from botocore import auth, credentials
from botocore.model import ServiceId
from botocore.signers import RequestSigner
from botocore.utils import ContainerMetadataFetcher

from containers.supervisor import signing

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATH = "/v2/credentials/5e1f"
# ECS Developer Guide, "Task IAM role": what the address answers.
SAID = {
    "RoleArn": "arn:aws:iam::111122223333:role/omero-lab-web-task",
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "of/the+role",
    "Token": "a+token/with==signs",
    "Expiration": "2099-01-01T00:00:00Z",
}


@pytest.mark.parametrize("token", ["", "a+token/with==signs&and ~more"])
def test_a_signed_query_is_the_one_that_botocore_makes(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query = {"Action": "connect", "User": "omero-lab-sessions"}
    role = credentials.Credentials("ASIAEXAMPLE", "of/the+role", token or None)
    events = botocore.session.get_session().get_component("event_emitter")
    signer = RequestSigner(ServiceId("elasticache"), "eu-west-1", "elasticache", "v4", role, events)
    request = {
        "method": "GET",
        "url": "https://omero-lab-sessions/?Action=connect&User=omero-lab-sessions",
        "body": {},
        "headers": {},
        "context": {},
    }
    with mock.patch.object(auth, "get_current_datetime", return_value=MOMENT):
        theirs = signer.generate_presigned_url(request, operation_name="connect", expires_in=900)
    monkeypatch.setattr(time, "gmtime", MOMENT.timetuple)
    ours = signing.presigned(
        ("ASIAEXAMPLE", "of/the+role", token),
        service="elasticache",
        region="eu-west-1",
        host="omero-lab-sessions",
        query=query,
        seconds=900,
    )
    place, _, words = ours.partition("?")
    assert place == "omero-lab-sessions/"
    assert sorted(words.split("&")) == sorted(str(theirs).partition("?")[2].split("&"))


class Ecs(BaseHTTPRequestHandler):
    """ECS's address for credentials. `asked` is how often."""

    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(200 if self.path == PATH else 404)
        self.end_headers()
        self.wfile.write(json.dumps(SAID).encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def ecs(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address, which a task's variable names."""
    Ecs.asked = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ecs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(signing.Credentials, "HOST", address)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", PATH)
    yield address
    server.shutdown()
    server.server_close()


def test_the_address_of_ecs_is_the_one_that_botocore_asks() -> None:
    assert f"http://{ContainerMetadataFetcher.IP_ADDRESS}" == signing.Credentials.HOST


def test_a_tasks_credentials_are_those_that_botocore_reads(ecs: str) -> None:
    theirs = credentials.ContainerProvider(environ={"AWS_CONTAINER_CREDENTIALS_FULL_URI": ecs + PATH}).load()
    assert signing.Credentials().now() == (theirs.access_key, theirs.secret_key, theirs.token)


@pytest.mark.usefixtures("ecs")
def test_ecs_is_asked_again_in_time_and_when_they_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    role = signing.Credentials()
    assert len({role.now() for _ in range(3)}) == 1
    assert Ecs.asked == 1
    now += signing.CREDENTIAL_SECONDS + 1
    role.now()
    assert Ecs.asked == 2
    role.forget()
    role.now()
    assert Ecs.asked == 3


def test_a_task_without_a_role_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(signing.AwsError, match="has no task role"):
        signing.Credentials().now()
