"""Where a `vpc` endpoint is: its security group, and the Elastic IPs that senders' firewalls know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from contract.outputs import Network
from scripts import aws
from scripts.aws import security_groups
from scripts.changes import Changes
from scripts.errors import Failed
from scripts.ingest.sftp.context import SftpContext

SFTP_PORT = 22
# AWS takes the interfaces of a deleted endpoint away within minutes.
RELEASE_SECONDS = 600.0
BUSY_CODES = ("DependencyViolation", "InvalidIPAddress.InUse", "AuthFailure")


def subnets(context: SftpContext) -> list[str]:
    """Of the endpoint: public ones for Elastic IPs, private ones for an internal endpoint."""
    internal = context.settings.internal
    return context.deployment.listed(Network.private_subnet_ids if internal else Network.public_subnet_ids)


def group_name(context: SftpContext) -> str:
    """Of the endpoint's security group."""
    return f"{context.name}-endpoint"


def ensure_group(context: SftpContext, changes: Changes) -> str | None:
    """The id of the security group, which lets the workspace's networks in and nothing out; None in a dry run."""
    ec2 = context.deployment.client("ec2")
    group = find_group(context, ec2)
    if group is None:
        group = changes.do(
            f"security group {group_name(context)}: created",
            lambda: security_groups.create(
                ec2,
                group_name(context),
                vpc_id=context.deployment.parameter(Network.vpc_id),
                description="Senders to the SFTP endpoint",
                tags=context.tags,
            ),
        )
    rules = group["IpPermissions"] if group else []
    id_ = group["GroupId"] if group else None
    _ensure_ingress(context, ec2, id_, rules, changes)
    if group and group["IpPermissionsEgress"]:
        changes.do(
            f"security group {group_name(context)}: outbound rules removed",
            lambda: ec2.revoke_security_group_egress(GroupId=id_, IpPermissions=group["IpPermissionsEgress"]),
        )
    return id_


def find_group(context: SftpContext, ec2: Any) -> Any:
    """The group as AWS describes it; None if there is none."""
    return security_groups.find(ec2, group_name(context), vpc_id=context.deployment.parameter(Network.vpc_id))


def _ensure_ingress(context: SftpContext, ec2: Any, group_id: str | None, rules: list[Any], changes: Changes) -> None:
    """New rules are added before old ones are revoked."""
    wanted = set(context.settings.cidrs)
    ours = {
        ip_range["CidrIp"] for rule in rules if _is_sftp(rule) for ip_range in rule.get("IpRanges", [])
    }  # fmt: skip
    for cidr in sorted(wanted - ours):
        changes.do(
            f"security group {group_name(context)}: inbound rule for {cidr} added",
            lambda cidr=cidr: ec2.authorize_security_group_ingress(  # type: ignore[misc]
                GroupId=group_id, IpPermissions=[_rule(cidr)]
            ),
        )
    for rule in rules:
        if (foreign := _without(rule, wanted)) is not None:
            changes.do(
                f"security group {group_name(context)}: inbound rule for {_shown(foreign)} removed",
                lambda foreign=foreign: ec2.revoke_security_group_ingress(  # type: ignore[misc]
                    GroupId=group_id, IpPermissions=[foreign]
                ),
            )


def _is_sftp(rule: Any) -> bool:
    return (rule.get("IpProtocol"), rule.get("FromPort"), rule.get("ToPort")) == ("tcp", SFTP_PORT, SFTP_PORT)


def _rule(cidr: str) -> dict[str, Any]:
    ranges = [{"CidrIp": cidr, "Description": "SFTP senders"}]
    return {"IpProtocol": "tcp", "FromPort": SFTP_PORT, "ToPort": SFTP_PORT, "IpRanges": ranges}


def _without(rule: Any, wanted: set[str]) -> dict[str, Any] | None:
    """What of a rule is not wanted, as it is revoked; None if all of it is."""
    kept = wanted if _is_sftp(rule) else set()
    ranges = [{"CidrIp": row["CidrIp"]} for row in rule.get("IpRanges", []) if row["CidrIp"] not in kept]
    others = {key: rule[key] for key in ("Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs") if rule.get(key)}
    if not ranges and not others:
        return None
    foreign = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
    return {**foreign, **({"IpRanges": ranges} if ranges else {}), **others}


def _shown(rule: dict[str, Any]) -> str:
    ranges = [row["CidrIp"] for row in rule.get("IpRanges", [])]
    others = [key for key in ("Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs") if key in rule]
    return f"{', '.join([*ranges, *others])} (ports {rule.get('FromPort', 'all')} to {rule.get('ToPort', 'all')})"


def addresses(context: SftpContext) -> list[dict[str, Any]]:
    """The Elastic IPs of the endpoint, in the order of their allocation ids."""
    filters = [{"Name": f"tag:{key}", "Values": [context.tags[key]]} for key in ("Project", "Workspace", "ManagedBy")]
    found = context.deployment.client("ec2").describe_addresses(Filters=filters)["Addresses"]
    return sorted(found, key=lambda address: address["AllocationId"])


def wants_addresses(context: SftpContext) -> bool:
    """Whether the endpoint has Elastic IPs."""
    return context.settings.endpoint == "vpc" and not context.settings.internal


def ensure_addresses(context: SftpContext, changes: Changes) -> list[str]:
    """The allocation ids of one Elastic IP a subnet; in a dry run, of those there are."""
    if not wants_addresses(context):
        return []
    # An answer that is lost must not become a second address.
    once = context.deployment.client("ec2", once=True)
    found, wanted = addresses(context), len(subnets(context))
    for number in range(len(found), wanted):
        changes.do(
            f"Elastic IP {number + 1} of {wanted}: allocated",
            lambda: once.allocate_address(
                Domain="vpc",
                TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": aws.tag_list(context.tags)}],
            ),
        )
    if not changes.dry_run:
        found = addresses(context)
    return [address["AllocationId"] for address in found][:wanted]


def release_addresses(context: SftpContext, changes: Changes, *, keep: int = 0) -> None:
    """Give back the Elastic IPs beyond `keep`: they are billed, used or not. The endpoint must be rid of them."""
    ec2 = context.deployment.client("ec2")
    for address in addresses(context)[keep:]:
        changes.do(
            f"Elastic IP {address['PublicIp']}: released",
            lambda id_=address["AllocationId"]: _when_free(  # type: ignore[misc]
                lambda: ec2.release_address(AllocationId=id_), "InvalidAllocationID.NotFound"
            ),
        )


def remove_group(context: SftpContext, changes: Changes) -> None:
    """Delete the security group, in whichever VPC it is, once the endpoint is gone."""
    ec2 = context.deployment.client("ec2")
    for id_ in security_groups.tagged(ec2, group_name(context), context.tags):
        changes.do(
            f"security group {group_name(context)}: deleted",
            lambda id_=id_: _when_free(  # type: ignore[misc]
                lambda: ec2.delete_security_group(GroupId=id_), "InvalidGroup.NotFound"
            ),
        )


def _when_free(call: Callable[[], Any], gone: str) -> None:
    """Call until AWS no longer says that the thing is in use."""
    try:
        aws.read(lambda: aws.retry(call, BUSY_CODES, seconds=RELEASE_SECONDS), gone)
    except ClientError as error:
        if aws.code_of(error) not in BUSY_CODES:
            raise
        raise Failed(
            f"{aws.sentence(error)} AWS has refused it for {RELEASE_SECONDS:.0f} s; run this again later."
        ) from error
