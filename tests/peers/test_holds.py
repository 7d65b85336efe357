"""The real OMERO.web under what happens to it: slow transfers, a stop, faults, a cache that is away."""

from __future__ import annotations

import http.client
import json
import re
import signal
import time
from contextlib import ExitStack

import pytest

from tests.peers.conftest import Start
from tests.peers.web import HOST, Cache, Web, until

pytestmark = [pytest.mark.peers, pytest.mark.nightly]
TRANSFERS = 9


@pytest.fixture(scope="module")
def web(start: Start, cache: Cache) -> Web:
    return start("rw-tls", cache=cache)


def test_slow_transfers_take_nobody_elses_turn_and_end_well(web: Web) -> None:
    web.hold()
    with ExitStack() as under_way:
        transfers = [under_way.enter_context(web.begin("/peers_probe/download/")) for _ in range(TRANSFERS)]
        assert [web.ask("/index/").status for _ in range(10 * TRANSFERS)] == [200] * 10 * TRANSFERS
        web.release()
        assert [len(transfer.end().body) for transfer in transfers] == [2048] * TRANSFERS


def test_a_transfer_may_take_longer_than_gunicorns_time_out(start: Start, cache: Cache) -> None:
    seconds = 5
    web = start("rw-tls", cache=cache, CONFIG_omero_web_wsgi__timeout=str(seconds))
    with web.begin("/peers_probe/download/") as transfer:
        time.sleep(3 * seconds)  # what gunicorn ends, it ends after `seconds`
        web.release()
        assert len(transfer.end().body) == 2048
    web.close()


def upload(web: Web, seconds: int) -> int:
    """The status of a log-in whose body takes so long, a KiB a second; -1 if the connection is cut."""
    page = web.ask("/webclient/login/")
    token = page.cookies["csrftoken"].partition(";")[0]
    field = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert field
    start = f"csrfmiddlewaretoken={field[1]}&username=&password=&server=1&url=".encode()
    connection = http.client.HTTPConnection(HOST, web.port, timeout=60)
    connection.putrequest("POST", "/webclient/login/")
    for name, value in {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(start) + 1024 * seconds),
        "Cookie": f"csrftoken={token}",
    }.items():
        connection.putheader(name, value)
    try:
        connection.endheaders(start)
        for _ in range(seconds):
            time.sleep(1)  # so slow is the line
            connection.send(b"x" * 1024)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return -1
    finally:
        connection.close()


def test_an_upload_of_78_seconds_ends_well(web: Web) -> None:
    assert upload(web, 78) == 200


def test_gunicorns_own_defaults_cut_it(start: Start, cache: Cache) -> None:
    """One thread is its worker `sync`, which says nothing while it reads: so the above tells the two apart."""
    web = start("rw-tls", cache=cache, CONFIG_omero_web_wsgi__threads="1", CONFIG_omero_web_wsgi__timeout="30")
    assert upload(web, 78) == -1
    web.close()


def test_a_stop_lets_a_transfer_end_and_takes_no_new_one(start: Start, cache: Cache) -> None:
    web = start("rw-tls", cache=cache)
    with web.begin("/peers_probe/download/") as transfer:
        web.terminate()

        def refuses() -> bool:
            try:
                web.ask("/index/")
            except OSError:
                return True
            return False

        until(refuses, "refusal of new requests")
        assert web.exit_code is None
        web.release()
        assert len(transfer.end().body) == 2048
    assert web.ended() == 0


def test_a_stop_before_it_has_started_ends_it_at_once(
    start: Start, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Web, "wait_until_well", lambda _: None)
    web = start("rw-tls", cache=cache)
    until(lambda: any("Running /startup/50-config.py" in line for line in web.lines), "first step")
    web.terminate()
    assert web.ended() == 0


def test_a_fault_is_one_event_of_the_log_with_its_traceback(web: Web) -> None:
    assert web.ask("/peers_probe/fault/?password=hunter2").status == 500

    def events() -> list[dict[str, str]]:
        found = [json.loads(line) for line in list(web.lines) if line.startswith("{")]
        return [event for event in found if "LookupError" in event.get("traceback", "")]

    (event,) = until(events, "traceback", 10)
    assert (event["level"], event["logger"]) == ("ERROR", "django.request")
    assert "what nobody has thought of" in event["traceback"]
    assert not [line for line in web.lines if "hunter2" in line]


def test_an_error_is_shown_and_nobody_is_offered_to_send_it(web: Web) -> None:
    answer = web.ask("/peers_probe/fault/")
    assert answer.status == 500
    assert "LookupError" in answer.text
    assert "<form" not in answer.text
    assert web.ask("/feedback/comment/").headers["Location"].startswith("/feedback/disabled")


def test_an_access_is_one_event_of_the_log(web: Web) -> None:
    web.ask("/index/", headers={"X-Forwarded-For": '10.0.0.1, 198.51.100.7", "status": 0', "User-Agent": 'a\\"b'})

    def accesses() -> list[dict[str, object]]:
        found = [json.loads(line) for line in list(web.lines) if line.startswith("{")]
        return [event for event in found if event.get("agent") == 'a\\"b']

    (access,) = until(accesses, "access", 10)
    assert (access["path"], access["status"], access["method"]) == ("/index/", 200, "GET")


def test_nobody_is_asked_for_a_newer_omero(web: Web) -> None:
    """`omero.web.upgrades.url` is there, and empty: left out, OMERO.web takes the server's (webgateway/views.py)."""
    config = (web.folder / "OMERO.web/etc/grid/config.xml").read_text()
    assert '<property name="omero.web.upgrades.url" value="" />' in config


@pytest.mark.parametrize("how", ["killed", "hung"])
def test_a_cache_that_is_away_costs_nobody_a_session(web: Web, cache: Cache, how: str) -> None:
    first = web.ask("/peers_probe/session/")
    cookie = {"Cookie": f"sessionid={first.cookies['sessionid'].partition(';')[0]}"}
    if how == "killed":
        cache.kill()
    else:
        cache.signal(signal.SIGSTOP)
    try:
        for path in ("/webclient/", "/peers_probe/session/"):
            away = web.ask(path, headers=cookie)
            assert (away.status, away.headers["Retry-After"], away.cookies) == (503, "5", {})
            assert "You are still logged in" in away.text
        # Whoever has no session yet is told the same, and neither health nor the log-in page ask the cache.
        assert web.ask("/peers_probe/session/").status == 503
        assert (web.ask("/index/").status, web.ask("/webclient/login/").status) == (200, 200)
    finally:
        cache.signal(signal.SIGCONT) if how == "hung" else cache.start()
    answer = web.ask("/peers_probe/session/", headers=cookie)
    # The one that was killed has forgotten them, as ElastiCache without a replica does.
    assert answer.json() == {"count": 2 if how == "hung" else 1}


def test_connections_that_the_cache_has_closed_are_made_again_unseen(web: Web, cache: Cache) -> None:
    first = web.ask("/peers_probe/session/")
    cookie = {"Cookie": f"sessionid={first.cookies['sessionid'].partition(';')[0]}"}
    cache.close_connections()
    assert web.ask("/peers_probe/session/", headers=cookie).json() == {"count": 2}
