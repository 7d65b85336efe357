"""The Transfer Family server: created, updated, started, stopped, deleted."""

from __future__ import annotations

from typing import Any

from contract.outputs import Network
from scripts import aws
from scripts.aws import waiting
from scripts.changes import Changes
from scripts.console import counted
from scripts.errors import Failed
from scripts.ingest.sftp import network
from scripts.ingest.sftp.context import (
    STOPPED_TAG,
    SftpContext,
    describe,
    find_server,
    missing_is_none,
    tags_of,
)
from scripts.ingest.sftp.host_keys import HostKeys

# The newest that Terraform's provider 5.100 knows; left out, the API takes an old one.
SECURITY_POLICY = "TransferSecurityPolicy-2025-03"
FAILED = ("START_FAILED", "STOP_FAILED")
# An endpoint cannot be changed until AWS has made it.
BUSY_SECONDS = 600.0

Server = dict[str, Any]


def ensure(context: SftpContext, keys: HostKeys | None, changes: Changes) -> Server | None:
    """The server, up to date but for its host keys; None in a dry run that would create it."""
    group_id = network.ensure_group(context, changes) if context.settings.endpoint == "vpc" else None
    addresses = network.ensure_addresses(context, changes)
    server = find_server(context)
    if server is None:
        made = changes.do(f"server: created, endpoint {_shown(context)}", lambda: _make(context, keys, group_id))
        if made is None:
            return None
        server = describe(context, made)
    server = _settle(context, server)
    server = _mend(context, server, changes)
    server = _ensure_endpoint(context, server, group_id, addresses, changes)
    if context.settings.endpoint == "vpc":
        _ensure_endpoints_group(context, server, group_id, changes)
    server = _ensure_runs(context, server, changes)
    # Last, for it may take AWS minutes to be rid of them.
    network.release_addresses(context, changes, keep=len(addresses))
    if context.settings.endpoint == "public":
        network.remove_group(context, changes)
    return server


def _shown(context: SftpContext) -> str:
    if context.settings.endpoint == "public":
        return "public"
    return "vpc, internal" if context.settings.internal else "vpc with Elastic IPs"


def _log_destination(context: SftpContext) -> str:
    return context.deployment.arn("logs", f"log-group:{context.log_group_name}:*")


def _make(context: SftpContext, keys: HostKeys | None, group_id: str | None) -> str:
    """Its id."""
    assert keys is not None  # noqa: S101 - None in a dry run only
    endpoint = {"EndpointType": "PUBLIC"} if group_id is None else _in_the_vpc(context, group_id)
    # An answer that is lost must not become a second server.
    answer = context.deployment.client("transfer", once=True).create_server(
        Domain="EFS",
        Protocols=["SFTP"],
        IdentityProviderType="SERVICE_MANAGED",
        SecurityPolicyName=SECURITY_POLICY,
        StructuredLogDestinations=[_log_destination(context)],
        HostKey=keys.private(0),
        Tags=aws.tag_list(context.tags),
        **endpoint,
    )
    return str(answer["ServerId"])


def _in_the_vpc(context: SftpContext, group_id: str | None) -> dict[str, Any]:
    details = {
        "VpcId": context.deployment.parameter(Network.vpc_id),
        "SubnetIds": network.subnets(context),
        "SecurityGroupIds": [group_id],
    }
    return {"EndpointType": "VPC", "EndpointDetails": details}


def _settle(context: SftpContext, server: Server) -> Server:
    """Wait until the server is neither starting nor stopping."""
    id_ = server["ServerId"]
    settled = ("ONLINE", "OFFLINE", *FAILED)
    if server["State"] not in settled:
        waiting.wait_for(f"server {id_}", lambda: str(describe(context, id_)["State"]), until=settled)
        return describe(context, id_)
    return server


def _mend(context: SftpContext, server: Server, changes: Changes) -> Server:
    """What can be set while the server runs."""
    id_ = server["ServerId"]
    wanted: dict[str, tuple[Any, str]] = {
        "SecurityPolicyName": (SECURITY_POLICY, f"security policy {SECURITY_POLICY}"),
        "StructuredLogDestinations": ([_log_destination(context)], f"logs to {context.log_group_name}"),
    }
    for key, (value, shown) in wanted.items():
        if server.get(key) != value:
            _update(context, id_, f"server {id_}: {shown}", changes, **{key: value})
    there = tags_of(server)
    if missing := {key: value for key, value in context.tags.items() if there.get(key) != value}:
        changes.do(
            f"server {id_}: tagged with {', '.join(missing)}",
            lambda: context.transfer.tag_resource(Arn=server["Arn"], Tags=aws.tag_list(missing)),
        )
    return server if changes.dry_run else describe(context, id_)


def _update(context: SftpContext, id_: str, sentence: str, changes: Changes, **what: Any) -> None:
    """Change the server once AWS is done with the change before."""

    def update() -> Any:
        return aws.retry(
            lambda: context.transfer.update_server(ServerId=id_, **what), ("ConflictException",), seconds=BUSY_SECONDS
        )

    changes.do(sentence, update)


def _ensure_endpoint(
    context: SftpContext, server: Server, group_id: str | None, addresses: list[str], changes: Changes
) -> Server:
    """Type, subnets and addresses. Most of it AWS takes from a server that is offline only."""
    id_, kind = server["ServerId"], "PUBLIC" if context.settings.endpoint == "public" else "VPC"
    details = server.get("EndpointDetails") or {}
    attached = list(details.get("AddressAllocationIds") or [])
    if server["EndpointType"] != kind:
        _take_offline(context, server, changes)
        what = {"EndpointType": "PUBLIC"} if kind == "PUBLIC" else _in_the_vpc(context, group_id)
        _update(context, id_, f"server {id_}: endpoint {_shown(context)}", changes, **what)
        attached = []
    elif kind == "VPC" and set(details.get("SubnetIds") or []) != set(network.subnets(context)):
        if attached:
            _take_offline(context, server, changes)
            _update(context, id_, f"server {id_}: addresses removed", changes, **_addressed([]))
            attached = []
        moved = {"EndpointDetails": {"SubnetIds": network.subnets(context)}}
        _update(context, id_, f"server {id_}: endpoint moved, {_shown(context)}", changes, **moved)
    planned = len(network.subnets(context)) if network.wants_addresses(context) else 0
    if kind == "VPC" and (set(attached) != set(addresses) or len(attached) != planned):
        _take_offline(context, server, changes)
        shown = f"{planned} Elastic IPs associated" if planned else "Elastic IPs removed"
        _update(context, id_, f"server {id_}: {shown}", changes, **_addressed(addresses))
    return server if changes.dry_run else describe(context, id_)


def _addressed(ids: list[str]) -> dict[str, Any]:
    return {"EndpointDetails": {"AddressAllocationIds": ids}}


def _interruption(id_: str) -> str:
    return f"server {id_}: stopped for some minutes, which ends every session"


def _take_offline(context: SftpContext, server: Server, changes: Changes) -> None:
    """Sessions end; `ensure` starts it again at the end."""
    id_ = server["ServerId"]
    if _interruption(id_) not in changes.sentences and describe(context, id_)["State"] != "OFFLINE":
        changes.do(_interruption(id_), lambda: _stop(context, id_))


def _ensure_endpoints_group(context: SftpContext, server: Server, group_id: str | None, changes: Changes) -> None:
    endpoint_id = (server.get("EndpointDetails") or {}).get("VpcEndpointId")
    if endpoint_id is None or group_id is None:
        return
    ec2 = context.deployment.client("ec2")
    found = ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint_id])["VpcEndpoints"]
    groups = {group["GroupId"] for group in found[0].get("Groups", [])} if found else {group_id}
    if groups != {group_id}:
        arguments: dict[str, Any] = {"RemoveSecurityGroupIds": sorted(groups - {group_id})}
        if group_id not in groups:
            arguments["AddSecurityGroupIds"] = [group_id]
        changes.do(
            f"endpoint {endpoint_id}: security group {network.group_name(context)} set as the only one",
            lambda: ec2.modify_vpc_endpoint(VpcEndpointId=endpoint_id, **arguments),
        )


def _ensure_runs(context: SftpContext, server: Server, changes: Changes) -> Server:
    """Started, unless the operator stopped it."""
    id_ = server["ServerId"]
    if server["State"] == "STOP_FAILED":
        raise Failed(f"server {id_} is STOP_FAILED; run `{context.command} stop` and then this again.")
    is_off = server["State"] in ("OFFLINE", "START_FAILED") or _interruption(id_) in changes.sentences
    if is_off and STOPPED_TAG not in tags_of(server):
        changes.do(f"server {id_}: started", lambda: _start(context, id_))
        return server if changes.dry_run else describe(context, id_)
    return server


def start(context: SftpContext, server: Server, changes: Changes) -> None:
    """Bring it online.

    Raises:
        Failed: it ended in START_FAILED.
    """
    server = _settle(context, server)
    id_ = server["ServerId"]
    if STOPPED_TAG in tags_of(server):
        changes.do(
            f"server {id_}: no longer marked as stopped on purpose",
            lambda: context.transfer.untag_resource(Arn=server["Arn"], TagKeys=[STOPPED_TAG]),
        )
    if server["State"] != "ONLINE":
        changes.do(f"server {id_}: started", lambda: _start(context, id_))


def stop(context: SftpContext, server: Server, changes: Changes) -> None:
    """Take it offline, and note that this is on purpose.

    Raises:
        Failed: it ended in STOP_FAILED.
    """
    server = _settle(context, server)
    id_ = server["ServerId"]
    if STOPPED_TAG not in tags_of(server):
        changes.do(
            f"server {id_}: marked as stopped on purpose",
            lambda: context.transfer.tag_resource(Arn=server["Arn"], Tags=[{"Key": STOPPED_TAG, "Value": "true"}]),
        )
    if server["State"] not in ("OFFLINE", "START_FAILED"):
        changes.do(f"server {id_}: stopped", lambda: _stop(context, id_))


def _start(context: SftpContext, id_: str) -> None:
    context.transfer.start_server(ServerId=id_)
    _wait(context, id_, "ONLINE")


def _stop(context: SftpContext, id_: str) -> None:
    context.transfer.stop_server(ServerId=id_)
    _wait(context, id_, "OFFLINE")


def _wait(context: SftpContext, id_: str, state: str) -> None:
    waiting.wait_for(
        f"server {id_}",
        lambda: str(describe(context, id_)["State"]),
        until=(state,),
        failed=FAILED,
    )


def delete(context: SftpContext, server: Server, changes: Changes) -> None:
    """Delete it, with its users, and wait until it is gone."""
    id_, count = server["ServerId"], server.get("UserCount", 0)
    changes.do(f"server {id_}: deleted, with {counted(count, 'user')}; their files stay", lambda: _delete(context, id_))


def _delete(context: SftpContext, id_: str) -> None:
    # Its endpoint may hold it for a minute (terraform-provider-aws, internal/service/transfer/server.go).
    missing_is_none(
        lambda: aws.retry(
            lambda: context.transfer.delete_server(ServerId=id_),
            ("InvalidRequestException",),
            seconds=BUSY_SECONDS,
            saying="Unable to delete VPC endpoint",
        )
    )
    waiting.wait_for(
        f"server {id_}",
        lambda: "GONE" if missing_is_none(lambda: describe(context, id_)) is None else "being deleted",
        until=("GONE",),
    )
