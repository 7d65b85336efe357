"""OMERO.web and its cache: who is let in, by what, and what they may do there."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest

from containers.supervisor import signing
from tests.peers import gate
from tests.peers.conftest import Start
from tests.peers.web import REGION, ROOT, TOOLS, Cache, Web

pytestmark = [pytest.mark.peers, pytest.mark.nightly]

USER = "omero-prod-sessions"
NOT_THAT = f"no request to connect to a cache of {USER}"
# Of the image's Django and of our own module in front of it: each command that Django's cache has but `clear`, and
# those that nobody needs.
DJANGO = """
import json, os, sys
import django
from django.conf import settings
settings.configure(CACHES=json.loads(os.environ["CACHES"]))
django.setup()
from django.core.cache import cache
done = []
cache.set("a", 1, 60); done.append(cache.get("a"))
done.append(cache.add("a", 2)); done.append("a" in cache)
done.append(cache.incr("a")); done.append(cache.touch("a", 60)); cache.touch("a", None)
cache.set_many({"b": 2, "c": 3}, 60); done.append(sorted(cache.get_many(["a", "b", "c"]).values()))
cache.set("a", 1, None); done.append(cache.delete("a")); cache.delete_many(["b", "c"])
client = cache._cache.get_client(write=True)
for command in (
    ["KEYS", "*"], ["FLUSHALL"], ["FLUSHDB"], ["CONFIG", "GET", "*"], ["EVAL", "return 1", "0"], ["ACL", "LIST"],
    ["CLIENT", "LIST"], ["GET", "other"], ["SET", "other", "1"], ["MONITOR"], ["REPLICAOF", "a", "1"],
):
    try:
        client.execute_command(*command)
        done.append(command)
    except Exception as error:
        done.append(type(error).__name__)
print(json.dumps(done))
"""


@pytest.fixture(scope="module")
def web(start: Start, cache: Cache) -> Web:
    return start("rw-tls", cache=cache)


def test_a_session_is_kept_by_a_user_that_iam_lets_in(web: Web, cache: Cache) -> None:
    first = web.ask("/peers_probe/session/")
    cookie = {"Cookie": f"sessionid={first.cookies['sessionid'].partition(';')[0]}"}
    assert web.ask("/peers_probe/session/", headers=cookie).json() == {"count": 2}
    assert cache.gate.let_in
    assert not cache.gate.refused


def test_it_asks_the_cache_for_nothing_that_its_user_may_not(web: Web, cache: Cache) -> None:
    """redis-py says what it is, and does not mind that nobody wants to know."""
    web.ask("/peers_probe/session/")
    said = cache.said("ACL LOG 100").splitlines()
    refused = {said[place + 2] for place, word in enumerate(said) if word == "object"}
    assert refused <= {"client|setinfo", "client|maint_notifications"}, refused


def test_a_connection_that_is_closed_is_made_again_with_a_new_password(web: Web, cache: Cache) -> None:
    """As ElastiCache closes each after 12 hours."""
    first = web.ask("/peers_probe/session/")
    cookie = {"Cookie": f"sessionid={first.cookies['sessionid'].partition(';')[0]}"}
    before = len(cache.gate.let_in)
    cache.close_connections()
    assert web.ask("/peers_probe/session/", headers=cookie).json() == {"count": 2}
    assert len(cache.gate.let_in) > before
    assert not cache.gate.refused


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        # Another role's key, as a container has that is not OMERO.web's, and none at all.
        ({"AWS_SECRET_ACCESS_KEY": "of-another-role"}, {"its signature is another"}),
        ({"AWS_ACCESS_KEY_ID": ""}, set()),
    ],
)
def test_nobody_else_is_let_in_and_the_browser_keeps_its_cookie(
    start: Start, cache: Cache, changed: dict[str, str], refused: set[str]
) -> None:
    web = start("rw-tls", cache=cache, **changed)
    cookie = {"Cookie": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}
    answer = web.ask("/peers_probe/session/", headers=cookie)
    assert (answer.status, answer.cookies) == (503, {})
    assert set(cache.gate.refused) == refused
    cache.gate.refused.clear()
    web.close()


def test_the_user_may_do_what_djangos_cache_does_and_no_more(cache: Cache, tmp_path: Path) -> None:
    caches = {
        "BACKEND": "containers.web.sessions.Cache",
        "LOCATION": f"rediss://localhost:{cache.port}/0",
        "OPTIONS": {"signed": {"cache": USER, "user": USER, "region": REGION}},
    }
    cache.gate.caches[USER] = USER
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SSL_CERT_FILE": str(cache.certificate),
        "CACHES": json.dumps({"default": caches}),
        "AWS_ACCESS_KEY_ID": gate.ROLE.access_key,
        "AWS_SECRET_ACCESS_KEY": gate.ROLE.secret_key,
        "AWS_SESSION_TOKEN": str(gate.ROLE.token),
    }
    done = subprocess.run(
        [TOOLS / "bin/python", "-c", DJANGO], env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said[:7] == [1, False, True, 2, True, [2, 2, 3], True]
    assert set(said[7:]) == {"NoPermissionError"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"host": "omero-test-sessions"}, NOT_THAT),
        (
            {"query": {"Action": "connect", "User": "default"}},
            NOT_THAT,
        ),
        ({"query": {"Action": "describe", "User": USER}}, NOT_THAT),
        ({"seconds": 3600}, "it has ended"),
        ({"region": "us-east-1"}, "its signature is another"),
        ({"service": "memorydb"}, "its signature is another"),
        ({"credentials": ("ASIAEXAMPLE", "another", str(gate.ROLE.token))}, "its signature is another"),
        ({"credentials": (gate.ROLE.access_key, gate.ROLE.secret_key, "")}, "its signature is another"),
    ],
)
def test_the_gate_takes_what_the_role_has_signed_and_nothing_else(changed: dict[str, object], said: str) -> None:
    role = (gate.ROLE.access_key, gate.ROLE.secret_key, str(gate.ROLE.token))
    asked = {
        "service": "elasticache",
        "region": REGION,
        "host": USER,
        "query": {"Action": "connect", "User": USER},
        "seconds": 900,
        **changed,
    }
    password = signing.presigned(asked.pop("credentials", role), **asked)  # type: ignore[arg-type]
    assert gate.wrong(USER, password, region=REGION, caches={USER: USER}) == said


def test_the_gate_takes_no_password_of_a_quarter_of_an_hour_ago() -> None:
    asked = AWSRequest("GET", f"https://{USER}/?Action=connect&User={USER}")
    ago = datetime.now(UTC) - timedelta(minutes=15)
    with mock.patch.object(auth, "get_current_datetime", return_value=ago):
        auth.SigV4QueryAuth(gate.ROLE, "elasticache", REGION, expires=900).add_auth(asked)
    password = str(asked.url).removeprefix("https://")
    assert gate.wrong(USER, password, region=REGION, caches={USER: USER}) == "it has ended"
