"""The real OMERO.web with the variables of each topology: what a browser behind the balancer sees."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from settings import load
from tests.peers.conftest import Start, through_balancer
from tests.peers.web import Cache, Web

pytestmark = pytest.mark.peers
TOPOLOGIES = ("rw-http", "rw-ro-tls")


class Site:
    """OMERO.web of a topology, as its people reach it."""

    def __init__(self, topology: str, web: Web) -> None:
        tls = load(topology).tls
        self.web, self.tls = web, tls is not None
        self.host = tls.domain_name if tls else "omero-1234567890.eu-west-1.elb.amazonaws.com"
        self.headers = through_balancer(self.host, "https" if tls else "http")
        self.servers = 1 + (read_only.count if (read_only := load(topology).omero.read_only) else 0)


@pytest.fixture(scope="module", params=TOPOLOGIES)
def site(request: pytest.FixtureRequest, start: Start, cache: Cache) -> Iterator[Site]:
    web = start(request.param, cache=cache)
    yield Site(request.param, web)
    web.close()


def log_in(site: Site, **headers: str) -> Any:
    """Fill in the log-in page as a browser does, with credentials that no server hears."""
    page = site.web.ask("/webclient/login/", headers=site.headers)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    cookie = page.cookies["csrftoken"].partition(";")[0]
    body = f"csrfmiddlewaretoken={token[1]}&username=&password=&server=1".encode()
    given = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={cookie}", **headers}
    return site.web.ask("/webclient/login/", method="POST", headers={**site.headers, **given}, body=body)


def test_its_health_check_says_that_it_is_well(site: Site) -> None:
    health = site.web.health.replace("/opt/omero/web/venv3/bin/python", "python3")
    assert subprocess.run(["/bin/sh", "-c", health], check=False).returncode == 0


def test_the_log_in_page_offers_every_server_and_its_static_files(site: Site) -> None:
    page = site.web.ask("/webclient/login/", headers=site.headers)
    assert page.status == 200
    options = re.findall(r'<option value="\d+"[^>]*>([^<]+)</option>', page.text)
    assert len(options) == site.servers or (site.servers == 1 and 'name="server"' in page.text)
    style = re.search(r'href="(/static/[^"]+\.css[^"]*)"', page.text)
    assert style
    assert site.web.ask(style[1]).headers["Content-Type"].startswith("text/css")


def test_cookies_are_for_https_alone_where_there_is_tls(site: Site) -> None:
    for path, name in (("/webclient/login/", "csrftoken"), ("/peers_probe/session/", "sessionid")):
        cookie = site.web.ask(path, headers=site.headers).cookies[name]
        assert ("Secure" in cookie) == site.tls


def test_a_log_in_through_the_balancer_passes_the_csrf_check_and_a_foreign_one_does_not(site: Site) -> None:
    own = f"{'https' if site.tls else 'http'}://{site.host}"
    answer = log_in(site, Origin=own, Referer=f"{own}/webclient/login/")
    assert (answer.status, "This field is required" in answer.text) == (200, True)
    assert log_in(site, Origin="https://evil.example", Referer="https://evil.example/").status == 403


def test_every_task_knows_a_session(site: Site, start: Start, cache: Cache) -> None:
    first = site.web.ask("/peers_probe/session/", headers=site.headers)
    cookie = first.cookies["sessionid"].partition(";")[0]
    again = site.web.ask("/peers_probe/session/", headers={**site.headers, "Cookie": f"sessionid={cookie}"})
    assert (first.json(), again.json()) == ({"count": 1}, {"count": 2})


def test_the_log_tells_accesses_and_nothing_of_their_queries(site: Site) -> None:
    site.web.ask("/index/?username=alice&password=hunter2", headers=site.headers)
    assert not [line for line in site.web.lines if "hunter2" in line]
