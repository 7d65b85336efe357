"""The two pages: one before the balancer has authenticated anybody, and one after.

OMERO.web sends whoever is not logged in to its log-in page with `?url=`, and whoever has logged out without
(omeroweb/decorators.py and webclient/views.py of ome/omero-web).
"""

from __future__ import annotations

import functools
import html
import json
import logging
import os
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import Ice
import omero
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from omeroweb.connector import Connector, Server
from omeroweb.decorators import get_client_ip
from omeroweb.webclient.views import WebclientLoginView

from containers.sign_in import accounts, token

logger = logging.getLogger(__name__)

# The balancer's own, in as many parts as it takes (its guide, "Authentication logout").
COOKIES = [f"AWSELBAuthSessionCookie-{number}" for number in range(4)]
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>OMERO.web</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:1.1em/1.5 sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}}</style></head>
<body><h1>OMERO.web</h1><p>{said}</p>{links}</body></html>
"""


@dataclass(frozen=True)
class SignIn:
    """What the task's definition says, in the variable SIGN_IN; the account's password is in SIGN_IN_PASSWORD."""

    expected: token.Expected
    keys_url: str
    user_claim: str
    new_user_group: str | None
    session_seconds: int
    account: accounts.Account


@functools.lru_cache(maxsize=1)
def sign_in() -> SignIn:
    """What was configured."""
    given = json.loads(os.environ["SIGN_IN"])
    return SignIn(
        expected=token.Expected(given["signer"], given["issuer"], given["client_id"]),
        keys_url=given["keys_url"],
        user_claim=given["user_claim"],
        new_user_group=given["new_user_group"],
        session_seconds=given["session_seconds"],
        account=accounts.Account(given["account"], os.environ["SIGN_IN_PASSWORD"]),
    )


def begin(request: HttpRequest) -> HttpResponse:
    """OMERO.web's log-in page: on to the balancer, once it is clear to which server.

    Who comes without `?url=` has logged out, or wants to choose: signing in again takes a click, and the balancer's
    session ends, so that the next person at this browser is asked who they are.
    """
    servers, wanted = list(Server), _wanted(request)
    if "url" in request.GET and (wanted or len(servers) == 1):
        return HttpResponseRedirect(_session_url(request, wanted or servers[0]))
    named = len(servers) > 1
    response = _page("You are not signed in.", links="".join(_link(request, each, named=named) for each in servers))
    if "url" not in request.GET:
        for cookie in COOKIES:
            response.set_cookie(cookie, "", max_age=0, secure=True, httponly=True)
    return response


def session(request: HttpRequest) -> HttpResponse:
    """Log in whom the balancer has authenticated. What it says is believed for its signature, never for the path."""
    given, server = sign_in(), _wanted(request) or next(iter(Server))
    try:
        said = token.claims(
            request.headers.get("x-amzn-oidc-data", ""),
            given.expected,
            lambda kid: token.key_at(f"{given.keys_url}/{kid}"),
            time.time(),
        )
        name = token.name_of(said, given.user_claim)
        return _logged_in(request, server, name, said)
    except token.Untrusted as error:
        logger.warning("sign-in refused: the balancer's token is not to be trusted: %s", error)
        return _page("You are not signed in, because this request did not come through the sign-in page.", status=401)
    except (token.NoName, accounts.NoAccount) as error:
        logger.warning("sign-in refused: %s", error)
        return _page(f"You cannot sign in: {error}.", status=403)
    except (OSError, omero.ServerError, omero.ClientError, Ice.Exception):
        logger.exception("sign-in failed")
        return _page("You could not be signed in just now. Try again in a minute.", status=503)


def _logged_in(request: HttpRequest, server: Any, name: str, said: dict[str, Any]) -> HttpResponse:
    given = sign_in()
    if given.new_user_group:
        # The first server is the one that writes.
        accounts.ensure_user(next(iter(Server)), given.account, name, given.new_user_group, said)
    uuid = accounts.open_session(server, given.account, name, seconds=given.session_seconds)
    view = WebclientLoginView()
    connector = Connector(server.id, settings.SECURE, omero_session_key=uuid)
    connection = connector.join_connection(view.useragent, get_client_ip(request))
    if connection is None:
        raise omero.ClientError(f"the new session of {name} could not be joined")
    try:
        # Nobody can have planted the cookie of what is a session of OMERO from now on.
        request.session.cycle_key()
        connector.to_session(request)
        logger.info("signed in %s at %s", name, server.server)
        response: HttpResponse = view.handle_logged_in(request, connection, connector)
        return response
    finally:
        connection.close(hard=False)


def _wanted(request: HttpRequest) -> Any:
    """The server that was chosen; None if none was, or there is no such server."""
    return Server.get(request.GET.get("server"))


def _session_url(request: HttpRequest, server: Any) -> str:
    """Where the balancer authenticates, and then comes back to `url`: `handle_logged_in` keeps that to this site."""
    query = {"server": server.id, **({"url": request.GET["url"]} if "url" in request.GET else {})}
    return f"{reverse('sign_in_session')}?{urlencode(query)}"


def _link(request: HttpRequest, server: Any, *, named: bool) -> str:
    said = f"Sign in to {server.server or server.host}" if named else "Sign in"
    return f'<p><a href="{html.escape(_session_url(request, server))}">{html.escape(said)}</a></p>'


def _page(said: str, *, links: str = "", status: int = 200) -> HttpResponse:
    return HttpResponse(PAGE.format(said=html.escape(said), links=links), status=status)
