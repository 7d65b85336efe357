"""What a workspace says is in the account already, and what must not be: looked at before Terraform runs.

A deployment that finds out half-way leaves half of it behind. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError

from contract import names, sections
from contract.outputs import Frontend, Omero
from scripts import aws
from scripts.aws import buckets
from scripts.deploy import backend, change_checks, disk_key, originals, quotas
from scripts.errors import Refused
from settings import Workspace
from settings.access import Tls
from settings.network import ExistingVpc
from settings.workspace import LARGEST_TAKERS


def check(state: backend.StateBackend) -> None:
    """Refuse a workspace that does not fit what is in the account.

    Raises:
        Refused: the hosted zone, the certificate, the VPC, a subnet, a zone or the key is not there or does not fit; or
            another deployment has the workspace's name or its domain name; or AWS cannot change what is deployed so.
        botocore.exceptions.ClientError: AWS denied a question.
    """
    workspace = state.workspace
    session = state.session if state.region == workspace.region else aws.session(workspace)
    if workspace.tls:
        _check_hosted_zone(session, workspace.tls)
        if workspace.tls.certificate_arn:
            _check_certificate(session, workspace.tls, workspace.tls.certificate_arn)
    if zones := workspace.network.availability_zones:
        _check_zones(session, workspace, zones)
    deployed = backend.deployed_stacks(state)
    if workspace.network.existing:
        _check_vpc(session, workspace, workspace.network.existing, has_servers="omero" in deployed)
    if workspace.data.key_arn:
        _check_key(session, workspace.data.key_arn)
    for section, part in workspace.sections.items():
        for key, bucket in part.buckets().items():
            _check_bucket(session, workspace, f"{section}.{key}", bucket.name)
            if bucket.events:
                _check_events(session, f"{section}.{key}", bucket.name)
            if bucket.originals:
                originals.check(session, f"{section}.{key}", bucket.name)
    if workspace.share:
        originals.check(session, "share.bucket", workspace.share.bucket)
    _check_namesakes(session, state, deployed)
    if workspace.tls and not workspace.tls.certificate_arn:
        _check_validation_record(session, state, workspace.tls)
    disk_key.check(session, workspace)
    quotas.check(session, workspace, deployed)
    if deployed:
        change_checks.check(session, workspace)


def _check_hosted_zone(session: boto3.Session, tls: Tls) -> None:
    """The certificate is proved in the zone: a wrong one would keep a deployment waiting for 75 minutes."""
    route53 = session.client("route53")
    try:
        zone = route53.get_hosted_zone(Id=tls.hosted_zone_id)["HostedZone"]
    except route53.exceptions.NoSuchHostedZone:
        raise Refused(
            f"tls.hosted_zone_id {tls.hosted_zone_id} is not a hosted zone of this account; give one that `aws route53 "
            "list-hosted-zones` shows."
        ) from None
    zone_name = zone["Name"].rstrip(".")
    if tls.domain_name != zone_name and not tls.domain_name.endswith(f".{zone_name}"):
        raise Refused(
            f"tls.domain_name {tls.domain_name} is not in the hosted zone {tls.hosted_zone_id}, which is {zone_name}; "
            f"choose a name that ends in .{zone_name}, or the zone of {tls.domain_name}."
        )
    if zone.get("Config", {}).get("PrivateZone") and tls.certificate_arn is None:
        raise Refused(
            f"tls.hosted_zone_id {tls.hosted_zone_id} is a private hosted zone, in which ACM cannot validate a "
            "certificate; give the public zone of the name, or the certificate_arn of an existing certificate."
        )


def _check_certificate(session: boto3.Session, tls: Tls, arn: str) -> None:
    found: Any = aws.read(
        lambda: session.client("acm").describe_certificate(CertificateArn=arn)["Certificate"],
        "ResourceNotFoundException",
    )
    if found is None:
        raise Refused(
            f"tls.certificate_arn {arn} is not a certificate of this account; give one that `aws acm "
            "list-certificates` shows."
        )
    if found["Status"] != "ISSUED":
        raise Refused(f"tls.certificate_arn {arn} is {found['Status']}; give one that is ISSUED.")
    covered = {found["DomainName"], *found.get("SubjectAlternativeNames", [])}
    wildcard = f"*.{tls.domain_name.partition('.')[2]}"
    if not covered & {tls.domain_name, wildcard}:
        raise Refused(
            f"tls.certificate_arn is for {', '.join(sorted(covered))}, not for {tls.domain_name}; give one for that "
            "name, or remove it to have one issued."
        )


def _check_zones(session: boto3.Session, workspace: Workspace, zones: tuple[str, str]) -> None:
    answer = session.client("ec2").describe_availability_zones()["AvailabilityZones"]
    there = sorted(zone["ZoneName"] for zone in answer if zone["State"] == "available")
    if wrong := [zone for zone in zones if zone not in there]:
        raise Refused(
            f"network.availability_zones has {wrong[0]}, which is not an Availability Zone of {workspace.region} that "
            f"this account may use; allowed: {', '.join(there)}."
        )


def _check_vpc(session: boto3.Session, workspace: Workspace, vpc: ExistingVpc, *, has_servers: bool) -> None:
    ec2 = session.client("ec2")
    found: Any = aws.read(lambda: ec2.describe_vpcs(VpcIds=[vpc.vpc_id])["Vpcs"], "InvalidVpcID.NotFound")
    if not found:
        raise Refused(
            f"network.existing.vpc_id {vpc.vpc_id} is not a VPC of {workspace.region} in this account; give one that "
            "`aws ec2 describe-vpcs` shows."
        )
    if (owner := found[0].get("OwnerId", workspace.account_id)) != workspace.account_id:
        raise Refused(
            f"network.existing.vpc_id {vpc.vpc_id} belongs to account {owner}, which shares it: Cloud Map cannot make "
            "its private zone there, by which OMERO's parts find each other; give a VPC of this account, or leave "
            "network.existing out."
        )
    for attribute, key in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        answer: Any = ec2.describe_vpc_attribute(VpcId=vpc.vpc_id, Attribute=attribute)
        if not answer[key]["Value"]:
            raise Refused(
                f"the VPC {vpc.vpc_id} has {attribute} off, and OMERO's containers need it to find each other; turn it "
                "on (`aws ec2 modify-vpc-attribute`), or remove network.existing."
            )
    ids = [*vpc.public_subnet_ids, *vpc.private_subnet_ids]
    subnets: dict[str, Any] = {subnet["SubnetId"]: subnet for subnet in _subnets(ec2, ids)}
    for key, pair in (("public_subnet_ids", vpc.public_subnet_ids), ("private_subnet_ids", vpc.private_subnet_ids)):
        for id_ in pair:
            if id_ not in subnets:
                raise Refused(
                    f"network.existing.{key} has {id_}, which is not a subnet of {workspace.region}; give "
                    "one that `aws ec2 describe-subnets` shows."
                )
            if subnets[id_]["VpcId"] != vpc.vpc_id:
                raise Refused(
                    f"network.existing.{key} has {id_}, which is in {subnets[id_]['VpcId']} and not in {vpc.vpc_id}; "
                    "give subnets of that VPC."
                )
        zones = [subnets[id_]["AvailabilityZone"] for id_ in pair]
        if zones[0] == zones[1]:
            raise Refused(
                f"network.existing.{key} are both in {zones[0]}; give one in each of two Availability Zones, so that "
                "OMERO survives an outage of one."
            )
    offered = sum(subnets[id_]["AvailableIpAddressCount"] for id_ in vpc.private_subnet_ids)
    if offered < workspace.addresses and not has_servers:
        raise Refused(
            f"network.existing.private_subnet_ids have {offered} free addresses, and the containers, the database and "
            f"the rest need {workspace.addresses}; give larger subnets, or lower {LARGEST_TAKERS}."
        )


def _subnets(ec2: Any, ids: list[str]) -> Any:
    # Asked by filter, AWS leaves out those that are not there instead of refusing the question.
    return ec2.describe_subnets(Filters=[{"Name": "subnet-id", "Values": ids}])["Subnets"]


def _check_key(session: boto3.Session, arn: str) -> None:
    key: Any = aws.read(lambda: session.client("kms").describe_key(KeyId=arn)["KeyMetadata"], "NotFoundException")
    if key is None:
        raise Refused(f"data.key_arn {arn} is not a KMS key; give one that `aws kms list-keys` shows.")
    if key["KeyState"] != "Enabled":
        raise Refused(f"data.key_arn {arn} is {key['KeyState']}; enable it, or give another.")
    if (key["KeyUsage"], key["KeySpec"]) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        raise Refused(
            f"data.key_arn {arn} is a {key['KeySpec']} key for {key['KeyUsage']}; give a SYMMETRIC_DEFAULT key for "
            "ENCRYPT_DECRYPT."
        )


def _check_bucket(session: boto3.Session, workspace: Workspace, key: str, bucket: str) -> None:
    """A bucket of somebody else's would show the servers what nobody here put there."""
    s3 = session.client("s3")
    where = f"{key} {bucket}"
    try:
        region = buckets.region_of(s3, bucket, account_id=workspace.account_id)
    except ClientError as error:
        if not aws.denied(error):
            raise
        raise Refused(
            f"{where} belongs to another account than {workspace.account_id}, or its policy denies you access; name a "
            "bucket of this account, or remove it to have one created."
        ) from None
    if region is None:
        raise Refused(f"{where} does not exist; create it first, or remove it to have one created.")
    if region != workspace.region:
        raise Refused(
            f"{where} is in region {region}, and the workspace is in {workspace.region}, where its events do not "
            f"arrive; name a bucket in {workspace.region}, or remove it to have one created."
        )


def _check_events(session: boto3.Session, key: str, bucket: str) -> None:
    """A bucket's notifications are one configuration: Terraform would replace what somebody else has in it."""
    if "EventBridgeConfiguration" not in session.client("s3").get_bucket_notification_configuration(Bucket=bucket):
        raise Refused(
            f"{key} {bucket} does not send its events to EventBridge, so nothing would start when an object arrives; "
            f"turn that on in the bucket's properties, or set {key.partition('.')[0]}.start_on_arrival: false."
        )


def _check_namesakes(session: boto3.Session, state: backend.StateBackend, deployed: frozenset[str]) -> None:
    """Names are made of the workspace's: a second one of that name would fail half-way, at the first name in use."""
    workspace = state.workspace
    for stack, what in _namesakes(session, workspace):
        if stack not in deployed:
            raise Refused(
                f"account {workspace.account_id} already has an OMERO named {workspace.name} ({what}), and its "
                f"state is not in the bucket {state.bucket}; rename the workspace file, or set state.bucket to the "
                "bucket with that state."
            )
    if workspace.tls and Frontend.stack not in deployed and (target := _record(session, workspace.tls)):
        raise Refused(
            f"tls.domain_name {workspace.tls.domain_name} already has a record in its hosted zone ({target}); "
            "choose another name, or remove that record first."
        )


def _namesakes(session: boto3.Session, workspace: Workspace) -> Iterator[tuple[str, str]]:
    """(stack, what there is) for each stack that somebody has deployed under this name."""
    ssm, iam = session.client("ssm"), session.client("iam")
    for outputs in sections.outputs():
        path = f"{names.parameter_path(workspace.name)}/{outputs.stack}"
        if found := ssm.get_parameters_by_path(Path=path, MaxResults=1)["Parameters"]:
            yield outputs.stack, f"SSM parameter {found[0]['Name']}"
    # Roles are the account's, whatever the region.
    role = names.suffixed("role", names.physical("service", workspace.name, "web"), "-task")
    if aws.read(lambda: iam.get_role(RoleName=role), "NoSuchEntity"):
        yield Omero.stack, f"IAM role {role}, perhaps of another region"


def _check_validation_record(session: boto3.Session, state: backend.StateBackend, tls: Tls) -> None:
    """ACM gives one CNAME for a name and an account: to adopt another certificate's, and to delete it with our own,
    would end that one's renewal."""
    ours = backend.states(state).get(Frontend.stack, {}).get("resources", [])
    if any(row.get("type") == "aws_acm_certificate" for row in ours):
        return
    rows = aws.rows(
        session.client("route53"), "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=tls.hosted_zone_id
    )
    for row in rows:
        values = [each["Value"] for each in row.get("ResourceRecords", [])]
        is_for_acm = any(each.rstrip(".").endswith(".acm-validations.aws") for each in values)
        if is_for_acm and row["Name"].rstrip(".").partition(".")[2] == tls.domain_name:
            raise Refused(
                f"tls.hosted_zone_id {tls.hosted_zone_id} has a validation record of {tls.domain_name} already "
                f"({row['Name'].rstrip('.')}), with which another certificate is renewed; give that certificate in "
                "tls.certificate_arn, or remove the record if no certificate needs it."
            )


def _record(session: boto3.Session, tls: Tls) -> str | None:
    """What the domain name leads to now; None if nowhere."""
    answer = session.client("route53").list_resource_record_sets(
        HostedZoneId=tls.hosted_zone_id, StartRecordName=tls.domain_name, StartRecordType="A", MaxItems="5"
    )
    for record in answer["ResourceRecordSets"]:
        if record["Name"].rstrip(".") == tls.domain_name and record["Type"] in ("A", "AAAA", "CNAME"):
            values = [each["Value"] for each in record.get("ResourceRecords", [])]
            return ", ".join(values) or record.get("AliasTarget", {}).get("DNSName", record["Type"])
    return None
