"""Servers, their states, and their tags. https://docs.aws.amazon.com/transfer/latest/userguide/API_CreateServer.html"""

from __future__ import annotations

import re
import time
from typing import Any

from moto.logs.models import logs_backends

from local_aws import clock
from local_aws.services.transfer import data_plane, endpoints, host_keys, keys
from local_aws.services.transfer.faults import FAULTS
from local_aws.services.transfer.policies import DEFAULT, POLICIES
from local_aws.services.transfer.state import (
    Json,
    Refusal,
    Server,
    all_servers,
    arn,
    invalid,
    missing,
    new_id,
    page,
    server_of,
    state_of,
)

START_SECONDS = clock.seconds("LOCAL_AWS_TRANSFER_START_SECONDS", 2)
STOP_SECONDS = clock.seconds("LOCAL_AWS_TRANSFER_STOP_SECONDS", 1)
ENDPOINT_SECONDS = clock.seconds("LOCAL_AWS_TRANSFER_ENDPOINT_SECONDS", 1)

# https://docs.aws.amazon.com/general/latest/gr/transfer-service.html
_MOST_SERVERS = 50  # of an account in a region
_COPIED = ("LoggingRole", "PreAuthenticationLoginBanner", "PostAuthenticationLoginBanner")
_LOG_GROUP = re.compile(r"arn:[a-z-]+:logs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):log-group:(?P<name>[^:]+):\*")


def tick(now: float) -> None:
    """End the states that are due, and have SFTP be served for what is online, and for nothing else."""
    for _, server in all_servers():
        if server.due is not None and server.due <= now:
            server.state, server.due = server.next, None
    data_plane.reconcile()


def create_server(backend: Any, asked: Json) -> Json:
    servers = state_of(backend).servers
    if len(servers) >= _MOST_SERVERS:
        raise invalid(f"An account has at most {_MOST_SERVERS} servers")
    _check_modelled(asked)
    domain, kind = asked.get("Domain") or "S3", asked.get("EndpointType") or "PUBLIC"
    if asked.get("IdentityProviderDetails"):
        raise invalid("IdentityProviderDetails unsupported for IdentityProviderType: SERVICE_MANAGED")
    policy = asked.get("SecurityPolicyName") or DEFAULT
    _check_policy(policy)
    destinations = asked.get("StructuredLogDestinations") or []
    _check_destinations(backend, destinations)
    key = keys.private(asked["HostKey"]) if asked.get("HostKey") else keys.generated()
    name = new_id("s")
    server = Server(
        name,
        arn(backend, f"server/{name}"),
        {
            "ProtocolDetails": {
                "PassiveIp": "AUTO",
                "TlsSessionResumptionMode": "ENFORCED",
                "SetStatOption": "DEFAULT",
                **(asked.get("ProtocolDetails") or {}),
            },
            "Domain": domain,
            "EndpointType": kind,
            "EndpointDetails": endpoints.created(backend, kind, asked.get("EndpointDetails") or {}),
            "IdentityProviderType": "SERVICE_MANAGED",
            "Protocols": ["SFTP"],
            "SecurityPolicyName": policy,
            "StructuredLogDestinations": destinations,
            "S3StorageOptions": asked.get("S3StorageOptions") or _S3_DEFAULT if domain == "S3" else None,
            "IpAddressType": asked.get("IpAddressType") or "IPV4",
            **{each: asked.get(each) for each in _COPIED},
        },
    )
    first = host_keys.made(backend, name, key)
    server.host_keys[first.id] = first
    server.endpoint_due = time.time() + START_SECONDS + ENDPOINT_SECONDS
    server.move("STARTING", START_SECONDS, FAULTS.take("CreateServer") or "ONLINE")
    servers[name] = server
    state_of(backend).tags.tag_resource(server.arn, asked.get("Tags") or [])
    return {"ServerId": name}


_S3_DEFAULT = {"DirectoryListingOptimization": "DISABLED"}


def _check_modelled(asked: Json) -> None:
    """Raises NotImplementedError for what this stand-in has no idea of."""
    if set(asked.get("Protocols") or ["SFTP"]) != {"SFTP"}:
        raise NotImplementedError("servers with protocols other than SFTP")
    if (asked.get("IdentityProviderType") or "SERVICE_MANAGED") != "SERVICE_MANAGED":
        raise NotImplementedError("identity providers other than SERVICE_MANAGED")
    if any((asked.get("WorkflowDetails") or {}).values()):
        raise NotImplementedError("managed workflows")
    if asked.get("HostKeyStorageType") == "SECRETS_MANAGER":
        raise NotImplementedError("host keys in Secrets Manager")


def _check_policy(name: str) -> None:
    if name not in POLICIES:
        raise invalid(f"Unknown security policy {name}")


def _check_destinations(backend: Any, destinations: list[str]) -> None:
    for each in destinations:
        found = _LOG_GROUP.fullmatch(each)
        here = (backend.region_name, backend.account_id)
        if not found or (found["region"], found["account"]) != here:
            raise invalid(f"Invalid structured log destination {each}")
        if found["name"] not in logs_backends[backend.account_id][backend.region_name].groups:
            raise invalid(f"The log group of the structured log destination {each} does not exist")


def update_server(backend: Any, asked: Json) -> Json:
    server = server_of(backend, asked)
    shown = server.shown
    if server.state in ("STARTING", "STOPPING"):
        raise Refusal("ConflictException", f"Server is in state {server.state}")
    if shown["EndpointType"] == "VPC" and time.time() < server.endpoint_due:
        raise Refusal("ConflictException", "VPC Endpoint state is not yet available")
    _check_modelled(asked)
    if asked.get("IdentityProviderDetails"):
        raise invalid("IdentityProviderDetails unsupported for IdentityProviderType: SERVICE_MANAGED")
    changed = {name: asked[name] for name in _COPIED if asked.get(name) is not None}
    if asked.get("SecurityPolicyName"):
        _check_policy(asked["SecurityPolicyName"])
        changed["SecurityPolicyName"] = asked["SecurityPolicyName"]
    if asked.get("StructuredLogDestinations") is not None:
        _check_destinations(backend, asked["StructuredLogDestinations"])
        changed["StructuredLogDestinations"] = asked["StructuredLogDestinations"]
    if asked.get("IpAddressType", shown["IpAddressType"]) != shown["IpAddressType"]:
        _check_address_type(server, asked["IpAddressType"])
        changed["IpAddressType"] = asked["IpAddressType"]
    changed["ProtocolDetails"] = {**shown["ProtocolDetails"], **(asked.get("ProtocolDetails") or {})}
    if asked.get("S3StorageOptions") and not server.is_efs:
        changed["S3StorageOptions"] = asked["S3StorageOptions"]
    key = keys.private(asked["HostKey"]) if asked.get("HostKey") else None
    kind = asked.get("EndpointType") or shown["EndpointType"]
    # The last check, for it changes the endpoint.
    changed["EndpointDetails"] = endpoints.updated(backend, server, kind, asked.get("EndpointDetails") or {})
    if kind != shown["EndpointType"]:
        server.endpoint_due = time.time() + ENDPOINT_SECONDS
    shown.update(changed, EndpointType=kind)
    if key is not None:
        host_keys.put_first(backend, server, key)
    data_plane.refresh(backend, server)
    return {"ServerId": server.id}


def _check_address_type(server: Server, wanted: str) -> None:
    if server.state != "OFFLINE":
        raise invalid("Server must be OFFLINE to change IpAddressType")
    if wanted == "DUALSTACK" and (server.shown["EndpointDetails"] or {}).get("AddressAllocationIds"):
        raise invalid("IpAddressType DUALSTACK unsupported for a server with AddressAllocationIds")


def start_server(backend: Any, asked: Json) -> None:
    server = server_of(backend, asked)
    if server.state == "STOPPING":
        raise invalid(f"Server is in state {server.state}")
    if server.state not in ("ONLINE", "STARTING"):  # else it has no impact
        server.move("STARTING", START_SECONDS, FAULTS.take("StartServer") or "ONLINE")


def stop_server(backend: Any, asked: Json) -> None:
    server = server_of(backend, asked)
    if server.state == "STARTING":
        raise invalid(f"Server is in state {server.state}")
    if server.state not in ("OFFLINE", "STOPPING"):
        server.move("STOPPING", STOP_SECONDS, FAULTS.take("StopServer") or "OFFLINE")
        data_plane.reconcile()


def describe_server(backend: Any, asked: Json) -> Json:
    server = server_of(backend, asked)
    described = {
        **{name: value for name, value in server.shown.items() if value is not None},
        "Arn": server.arn,
        "HostKeyFingerprint": keys.fingerprint(next(iter(server.host_keys.values())).key),
        "ServerId": server.id,
        "State": server.state,
        "Tags": state_of(backend).tags.list_tags_for_resource(server.arn)["Tags"],
        "UserCount": len(server.users),
    }
    return {"Server": described}


def list_servers(backend: Any, asked: Json) -> Json:
    listed = [
        {
            "Arn": server.arn,
            "Domain": server.shown["Domain"],
            "IdentityProviderType": "SERVICE_MANAGED",
            "EndpointType": server.shown["EndpointType"],
            **({"LoggingRole": server.shown["LoggingRole"]} if server.shown["LoggingRole"] else {}),
            "ServerId": server.id,
            "State": server.state,
            "UserCount": len(server.users),
        }
        for server in state_of(backend).servers.values()
    ]
    return page(listed, asked, "Servers")


def delete_server(backend: Any, asked: Json) -> None:
    server, tags = server_of(backend, asked), state_of(backend).tags
    endpoints.removed(backend, server)
    del state_of(backend).servers[server.id]
    users = [user.shown["Arn"] for user in server.users.values()]
    for each in (server.arn, *users, *(key.arn for key in server.host_keys.values())):
        tags.delete_all_tags_for_resource(each)
    data_plane.reconcile()


def _tagged(backend: Any, asked: Json) -> str:
    """The ARN of a request, if it is one of a server, a user or a host key that is there."""
    for server in state_of(backend).servers.values():
        users = (user.shown["Arn"] for user in server.users.values())
        if asked["Arn"] in (server.arn, *users, *(key.arn for key in server.host_keys.values())):
            return str(asked["Arn"])
    kind = {"server": "Server", "user": "User", "host-key": "HostKey"}
    raise missing(kind.get(asked["Arn"].split(":")[-1].split("/")[0], "Server"), asked["Arn"])


def tag_resource(backend: Any, asked: Json) -> None:
    state_of(backend).tags.tag_resource(_tagged(backend, asked), asked["Tags"])


def untag_resource(backend: Any, asked: Json) -> None:
    state_of(backend).tags.untag_resource_using_names(_tagged(backend, asked), asked["TagKeys"])


def list_tags_for_resource(backend: Any, asked: Json) -> Json:
    # Not found is no error of this action: AWS answers no tags.
    tags = state_of(backend).tags.list_tags_for_resource(asked["Arn"])["Tags"]
    return {"Arn": asked["Arn"], **page(tags, asked, "Tags")}
