"""What `status` tells: server, endpoint, users, last activity, and what the month has cost so far."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from scripts.ingest.sftp import host_keys, logs, network
from scripts.ingest.sftp.context import STOPPED_TAG, SftpContext, find_server, tags_of

# US dollars (AWS's price lists of Transfer Family and VPC, eu-central-1 and us-east-1 in 2025).
PER_HOUR = 0.30
"""Of an endpoint, online or stopped."""
PER_GB = 0.04
"""Uploaded or downloaded."""
PER_ADDRESS_HOUR = 0.005
GB = 10**9
DAY_SECONDS = 86_400


def collect(context: SftpContext, now: datetime | None = None) -> dict[str, Any]:
    """All of it, as data for JSON. Times are in ISO 8601, UTC; `server` is None if there is none."""
    now = now or datetime.now(UTC)
    workspace = context.deployment.workspace
    server = find_server(context)
    kept = host_keys.read(context)
    report: dict[str, Any] = {
        "workspace": workspace.name,
        "region": workspace.region,
        "folder": context.settings.folder,
        "file_system_id": context.file_system_id,
        "server": None,
        "host_keys": [
            {"fingerprint": fingerprint, "public": line}
            for fingerprint, line in zip(kept.fingerprints, kept.public_lines, strict=True)
        ]
        if kept
        else [],
        "log_group": context.log_group_name,
        "last_activity": _last_activity(context),
        "cost": None,
    }
    if server:
        addresses = network.addresses(context)
        report["server"] = _server(context, server, addresses)
        report["cost"] = _cost(context, server["ServerId"], len(addresses), now)
    return report


def _server(context: SftpContext, server: dict[str, Any], addresses: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": server["ServerId"],
        "state": server["State"],
        "stopped_on_purpose": STOPPED_TAG in tags_of(server),
        "endpoint": server["EndpointType"].lower(),
        "host": host(context, server),
        "addresses": [address["PublicIp"] for address in addresses],
        "cidrs": list(context.settings.cidrs),
        "security_policy": server.get("SecurityPolicyName"),
        "users": server.get("UserCount", 0),
    }


def host(context: SftpContext, server: dict[str, Any]) -> str:
    """The name that senders connect to: of an internal endpoint, the one that its VPC knows."""
    if context.settings.internal and (id_ := (server.get("EndpointDetails") or {}).get("VpcEndpointId")):
        found = context.deployment.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[id_])["VpcEndpoints"]
        for entry in found[0].get("DnsEntries", []) if found else []:
            return str(entry["DnsName"])
    suffix = "amazonaws.com.cn" if context.deployment.workspace.region.startswith("cn-") else "amazonaws.com"
    return f"{server['ServerId']}.server.transfer.{context.deployment.workspace.region}.{suffix}"


def _last_activity(context: SftpContext) -> dict[str, str] | None:
    event = logs.last_event(context)
    if event is None:
        return None
    stream, milliseconds = event
    return {"time": datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(), "stream": stream}


def _cost(context: SftpContext, server_id: str, addresses: int, now: datetime) -> dict[str, Any]:
    """An estimate by list prices: what AWS bills is in Cost Explorer, a day later and at a price for each question."""
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = context.transfer.list_host_keys(ServerId=server_id)["HostKeys"]
    # A server does not tell its age, but its first host key came with it.
    made = min((row["DateImported"] for row in rows), default=month)
    since = max(month, made)
    hours = max(0.0, (now - since).total_seconds() / 3600)
    bytes_ = {
        metric: _bytes(context, server_id=server_id, metric=metric, since=month, until=now)
        for metric in ("BytesIn", "BytesOut")
    }
    gigabytes = sum(bytes_.values()) / GB
    total = hours * (PER_HOUR + addresses * PER_ADDRESS_HOUR) + gigabytes * PER_GB
    return {
        "usd": round(total, 2),
        "since": since.isoformat(),
        "hours": round(hours, 1),
        "bytes_in": int(bytes_["BytesIn"]),
        "bytes_out": int(bytes_["BytesOut"]),
        "usd_per_month": round(730 * (PER_HOUR + addresses * PER_ADDRESS_HOUR), 0),
    }


def _bytes(context: SftpContext, *, server_id: str, metric: str, since: datetime, until: datetime) -> float:
    answer = context.deployment.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Transfer",
        MetricName=metric,
        Dimensions=[{"Name": "ServerId", "Value": server_id}],
        StartTime=since,
        EndTime=until,
        Period=DAY_SECONDS,
        Statistics=["Sum"],
    )
    return sum(float(row["Sum"]) for row in answer["Datapoints"])
