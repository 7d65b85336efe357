"""Has SFTP be served for every server of Domain EFS that is online, and says where.

GET `/_local/transfer/servers` of the endpoint answers, for each server, `{"<server id>": {...}}` with `endpoint` (the
name it would have on AWS, port 22), `state`, `host` and `port` (of this machine; null unless it listens),
`host_keys` (those it shows, as in known_hosts) and `host_key_fingerprint` (as DescribeServer tells it).
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import Any

from moto.efs.models import efs_backends

from local_aws import efs_access, files
from local_aws.application import LocalAwsApplication
from local_aws.services import events
from local_aws.services.transfer import keys, logs
from local_aws.services.transfer.policies import POLICIES
from local_aws.services.transfer.sftp.home import NOBODY, Actor, Home, Mount
from local_aws.services.transfer.sftp.listener import HOST, Config, Listener, SignIn
from local_aws.services.transfer.state import Json, Server, User, all_servers

_PORTS = 100  # from the first one on that are tried

_listeners: dict[str, Listener] = {}


def _first_port() -> int:
    """LOCAL_AWS_SFTP_PORT: the first server's; the others take the next free ones. 0 (the default): any free port."""
    value = int(os.environ.get("LOCAL_AWS_SFTP_PORT", "0"))
    if not 0 <= value <= 65535:
        raise ValueError(f"LOCAL_AWS_SFTP_PORT is {value}; 0 to 65535 is allowed")
    return value


FIRST_PORT = _first_port()


def reconcile() -> None:
    """Start and stop listeners so that they are those of the servers that are online."""
    online = {
        server.id: (backend, server) for backend, server in all_servers() if server.state == "ONLINE" and server.is_efs
    }
    for name in [each for each in _listeners if each not in online]:
        _listeners.pop(name).stop()
    for name, (backend, server) in online.items():
        if name not in _listeners:
            _start(backend, server)


def _start(backend: Any, server: Server) -> None:
    """A server whose port another program has taken is START_FAILED."""
    listener = Listener(_config(backend, server))
    taken = {each.port for _, each in all_servers()}
    free = [port for port in range(FIRST_PORT, min(FIRST_PORT + _PORTS, 65536)) if port not in taken]
    wanted = [server.port] if server.port else free if FIRST_PORT else [0]
    for port in wanted:
        try:
            listener.start(port)
        except OSError as fault:
            sys.stderr.write(f"transfer: {server.id} cannot listen on {HOST}:{port}: {fault.strerror}\n")
            continue
        server.port, _listeners[server.id] = listener.port, listener
        sys.stderr.write(f"transfer: {server.id} listens on {HOST}:{listener.port}\n")
        return
    server.state = "START_FAILED"


def refresh(backend: Any, server: Server) -> None:
    """Have a change of the server hold for the connections from now on."""
    if server.id in _listeners:
        _listeners[server.id].update(_config(backend, server))


def _config(backend: Any, server: Server) -> Config:
    account, region = backend.account_id, backend.region_name
    destinations = server.shown["StructuredLogDestinations"]
    group = str(destinations[0].split(":")[6]) if destinations else None

    def log(stream: str, message: Json) -> None:
        logs.event(account, region, group, stream, message)

    def tell(kind: str, detail: Json) -> None:
        events.tell(account, region, source="aws.transfer", kind=kind, resources=[server.arn], detail=detail)

    def look_up(name: str) -> SignIn | None:
        with LocalAwsApplication.lock_for_backends:
            user = server.users.get(name)
            return _sign_in(backend, server, user) if user else None

    return Config(
        server.arn,
        tuple(each.key for each in server.active_host_keys()),
        POLICIES[server.shown["SecurityPolicyName"]].options(),
        server.shown.get("PreAuthenticationLoginBanner") or "",
        log,
        tell,
        look_up,
    )


def _sign_in(backend: Any, server: Server, user: User) -> SignIn:
    shown = user.shown
    profile, name = shown["PosixProfile"], shown["UserName"]
    mounts = {}
    request = efs_access.Request(
        backend.account_id,
        backend.partition,
        backend.region_name,
        "transfer.amazonaws.com",
        shown["Role"],
        {
            "aws:sourceaccount": backend.account_id,
            # "in the context of a Transfer Family user ARN" (its user guide, "Create an IAM role and policy").
            "aws:sourcearn": shown["Arn"],
            "elasticfilesystem:accessedviamounttarget": "false",
        },
    )
    for file_system in efs_backends[backend.account_id][backend.region_name].file_systems_by_id.values():
        # What the user's folders are on is asked for; the role may lack rights on all others.
        is_used = f"/{file_system.file_system_id}" in str(shown)
        granted = efs_access.grants(replace(request, session=name if is_used else ""), file_system)
        if not granted.mount:
            continue
        uid, gid, groups = profile["Uid"], profile["Gid"], frozenset(profile.get("SecondaryGids") or [])
        if uid == 0 and not granted.root:
            uid, gid, groups = NOBODY, NOBODY, frozenset()
        known_as = file_system.file_system_id
        mounts[known_as] = Mount(known_as, files.folder(known_as), Actor(uid, gid, groups), granted.write)

    def filled(path: str) -> str:
        return path.replace("${transfer:UserName}", name).replace("${Transfer:UserName}", name)

    entries = None
    if shown["HomeDirectoryType"] == "LOGICAL":
        entries = {each["Entry"].rstrip("/") or "/": filled(each["Target"]) for each in shown["HomeDirectoryMappings"]}
    landing = filled(shown.get("HomeDirectory") or "/")
    return SignIn(name, shown["Role"], frozenset(user.blobs.values()), Home(landing, entries, mounts))


def resource(_method: str, _body: bytes) -> tuple[int, Any]:
    """The HTTP resource: the status, and what it answers as JSON."""
    return 200, {server.id: _told(backend, server) for backend, server in all_servers()}


def _told(backend: Any, server: Server) -> Json:
    listener = _listeners.get(server.id)
    return {
        "endpoint": f"{server.id}.server.transfer.{backend.region_name}.amazonaws.com",
        "state": server.state,
        "host": HOST if listener else None,
        "port": listener.port if listener else None,
        "host_keys": [
            " ".join(each.key.export_public_key().decode().split()[:2]) for each in server.active_host_keys()
        ],
        "host_key_fingerprint": keys.fingerprint(next(iter(server.host_keys.values())).key),
    }
