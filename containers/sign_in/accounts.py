"""OMERO's side: the user of a name, and a session as that user, by the rights of an account with Sudo alone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import omero
import omero.sys
from omero.model import ExperimenterGroupI, ExperimenterI
from omero.rtypes import rbool, rstring

AGENT = "OMERO.web sign-in"
# Of a password that nobody knows: OMERO refuses users without one, and whoever signs in needs none.
PASSWORD_BYTES = 32


class Server(Protocol):
    """One of OMERO.web's servers (`omeroweb.connector.Server`)."""

    host: str
    port: int


@dataclass(frozen=True)
class Account:
    """An administrator with the privilege Sudo; to make users, ModifyUser and ModifyGroupMembership as well."""

    name: str
    password: str


class NoAccount(Exception):
    """OMERO has no user of that name whom anybody may be signed in as. The message is for the user."""


def open_session(server: Server, account: Account, name: str, *, seconds: int) -> str:
    """The UUID of a new session as the user `name`, which ends after `seconds`, or when idle as OMERO's own do.

    Raises:
        NoAccount: there is no such user, or it is an administrator, a guest or not active.
        omero.ServerError, Ice.Exception: the server said no, or is not there.
    """
    with _acting(server, account) as factory:
        _check(factory.getAdminService(), name)
        principal = omero.sys.Principal()
        principal.name = name
        principal.eventType = "User"
        sessions = factory.getSessionService()
        # 0 would be for ever. The account's own session has what the server is configured to.
        idle = sessions.getSession(factory.ice_getIdentity().name).getTimeToIdle().getValue()
        made = sessions.createSessionWithTimeouts(principal, seconds * 1_000, idle)
        return str(made.getUuid().getValue())


def ensure_user(writer: Server, account: Account, name: str, group: str, said: Mapping[str, Any]) -> None:
    """Have a user `name`, by default in `group`, made of what the identity provider says.

    Raises:
        NoAccount: the group is not there.
        omero.ServerError, Ice.Exception: the server said no, or is not there.
    """
    with _acting(writer, account) as factory:
        admin = factory.getAdminService()
        if _found(admin, name) is not None:
            return
        roles = admin.getSecurityRoles()
        try:
            found = admin.lookupGroup(group)
        except omero.ApiUsageException as error:
            raise NoAccount(f"OMERO has no group {group} for new users; ask its administrator to create it") from error
        user = ExperimenterI()
        user.omeName = rstring(name)
        user.firstName = rstring(_text(said, "given_name") or name)
        user.lastName = rstring(_text(said, "family_name") or name)
        user.email = rstring(_text(said, "email"))
        user.ldap = rbool(False)
        password = rstring(secrets.token_urlsafe(PASSWORD_BYTES))
        admin.createExperimenterWithPassword(
            user,
            password,
            ExperimenterGroupI(found.getId().getValue(), False),
            [ExperimenterGroupI(roles.userGroupId, False)],
        )


@contextmanager
def _acting(server: Server, account: Account) -> Iterator[Any]:
    """The services of a server, as the account, over TLS."""
    client = omero.client(host=server.host, port=server.port)
    try:
        client.setAgent(AGENT)
        yield client.createSession(account.name, account.password)
    finally:
        # As closeSession, for a server that is gone too.
        client.__del__()


def _check(admin: Any, name: str) -> None:
    """Refuse whom nobody may be signed in as: whoever controls the identity provider must not control OMERO."""
    user = _found(admin, name)
    if user is None:
        raise NoAccount(f"OMERO has no user {name}; ask its administrator to create it")
    roles, id_ = admin.getSecurityRoles(), user.getId().getValue()
    groups = admin.getMemberOfGroupIds(ExperimenterI(id_, False))
    if id_ in (roles.rootId, roles.guestId) or roles.systemGroupId in groups:
        raise NoAccount(f"{name} is an administrator or a guest of OMERO, who log in with a password of OMERO's own")
    if roles.userGroupId not in groups:
        raise NoAccount(f"OMERO's user {name} is not active; ask its administrator")


def _found(admin: Any, name: str) -> Any:
    """The user; None if there is none. With `omero.security.ignore_case`, OMERO's name may be written otherwise."""
    try:
        user = admin.lookupExperimenter(name)
    except omero.ApiUsageException:
        return None
    return user


def _text(said: Mapping[str, Any], claim: str) -> str:
    found = said.get(claim)
    return found[:255] if isinstance(found, str) and found.isprintable() else ""
