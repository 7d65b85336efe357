"""Runs in OMERO.web's own Python: the real OMERO.web with the app, and requests that a test sends, one line each.

Real are OMERO.web's settings, URLs, middleware, sessions and views, omero-py's objects, and what goes over HTTP.
No OMERO.server can be here, so two things stand in for one: `omero.client`, by which the app acts as its account, and
the gateway by which OMERO.web joins a session.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import omero
import omero.config
from omero.rtypes import rlong, rstring

ROLES = omero.sys.Roles(
    rootId=0, rootName="root", systemGroupId=0, systemGroupName="system", userGroupId=1, guestId=1, guestGroupId=2
)


class Server:
    """What OMERO.server knows: the groups of each user, and what it was asked."""

    def __init__(self) -> None:
        self.users = {"root": [0, 1], "guest": [2], "alice@example.org": [1, 3], "boss": [0, 1], "gone": [3]}
        self.asked: list[Any] = []
        self.up = True

    def id_of(self, name: str) -> int:
        return list(self.users).index(name)

    def lookup_experimenter(self, name: str) -> Any:
        if name not in self.users:
            raise omero.ApiUsageException(None, None, f"No such experimenter: {name}")
        return omero.model.ExperimenterI(self.id_of(name), False)

    def lookup_group(self, name: str) -> Any:
        if name != "pathology":
            raise omero.ApiUsageException(None, None, f"No such group: {name}")
        return omero.model.ExperimenterGroupI(4, False)

    def create(self, user: Any, password: Any, group: Any, others: Any) -> int:
        assert len(password.val) >= 40
        self.asked.append(
            ["create", *(getattr(user, key).val for key in ("omeName", "firstName", "lastName", "email"))]
        )
        self.users[user.omeName.val] = [group.id.val, *(each.id.val for each in others)]
        return self.id_of(user.omeName.val)

    def session(self, principal: Any, live: int, idle: int) -> Any:
        self.asked.append(["session", principal.name, live, idle])
        session = omero.model.SessionI()
        session.uuid = rstring(f"uuid-of-{principal.name}")
        return session


server = Server()


class Client:
    """In the place of `omero.client`."""

    def __init__(self, *, host: str, port: int) -> None:
        self._at, self._closed = (host, port), False
        self.setAgent = MagicMock()

    def createSession(self, name: str, password: str) -> Any:  # noqa: N802 - OMERO's
        server.asked.append(["connect", *self._at, name, password])
        if not server.up:
            raise omero.ClientError("no such server")
        admin, sessions, factory = MagicMock(), MagicMock(), MagicMock()
        admin.lookupExperimenter = server.lookup_experimenter
        admin.lookupGroup = server.lookup_group
        admin.getSecurityRoles.return_value = ROLES
        admin.getMemberOfGroupIds = lambda user: list(server.users.values())[user.id.val]
        admin.createExperimenterWithPassword = server.create
        own = omero.model.SessionI()
        own.timeToIdle = rlong(600_000)
        sessions.getSession.return_value = own
        sessions.createSessionWithTimeouts = server.session
        factory.getAdminService.return_value, factory.getSessionService.return_value = admin, sessions
        return factory

    def __del__(self) -> None:
        if not self._closed:
            server.asked.append(["closed"])
        self._closed = True


def gateway(connector: Any, *_: Any, **__: Any) -> Any:
    """In the place of OMERO.web's gateway: it joins what was made."""
    made = MagicMock()

    def connect(sUuid: str | None = None) -> bool:  # noqa: N803 - OMERO's
        made._sessionUuid = sUuid
        return (sUuid or "").startswith("uuid-of-")

    made.connect = connect
    made.getUserId.return_value = 2
    made.getEventContext.return_value = MagicMock(memberOfGroups=[1, 3], userId=2, groupId=3)
    made.isAnonymous.return_value = False
    made.canCreate.return_value, made.getClientSettings.return_value = True, {}
    made.getEmailSettings.return_value = False
    return made


def configure(omerodir: Path, properties: dict[str, str]) -> None:
    """Write OMERO.web's configuration by omero-py itself."""
    for folder in ("etc/grid", "var/log", "lib/python"):
        (omerodir / folder).mkdir(parents=True, exist_ok=True)
    config = omero.config.ConfigXml(str(omerodir / "etc" / "grid" / "config.xml"))
    for name, value in properties.items():
        config[name] = value
    config.close()


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Send the requests of one browser, one after another; what each brought, and what the server was asked."""
    from django.test import Client  # noqa: PLC0415 - only once Django is set up

    server.__init__()  # type: ignore[misc]
    server.up = asked.get("up", True)
    browser, found = Client(), []
    for request in asked["requests"]:
        before = browser.session.session_key
        send = getattr(browser, request.get("method", "get"))
        response = send(request["path"], headers=request.get("headers", {}), secure=True)
        found.append(
            {
                "status": response.status_code,
                "location": response.headers.get("Location"),
                "text": response.content.decode(),
                "cookies": {name: str(cookie["max-age"]) for name, cookie in response.cookies.items()},
                "new_key": browser.session.session_key != before,
                "connector": browser.session.get("connector"),
            }
        )
    return {"answers": found, "asked": server.asked}


def main() -> None:
    given = json.loads(sys.stdin.readline())
    configure(Path(os.environ["OMERODIR"]), given["properties"])
    os.environ["DJANGO_SETTINGS_MODULE"] = "omeroweb.settings"
    import django  # noqa: PLC0415 - OMERO.web's settings are read now

    django.setup()
    from omeroweb.connector import Connector  # noqa: PLC0415

    omero.client = Client
    Connector.create_gateway = gateway
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
