"""What a workspace says is in its account already, made in an AWS on this machine, under the same ids."""

from __future__ import annotations

import datetime
import secrets
from typing import Any

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from scripts.aws import buckets
from settings import Workspace
from settings.access import Tls
from settings.network import ExistingVpc

# Read by the local AWS: local_aws/services/route53.py and given_ids.py.
HOSTED_ZONE_IDS = "LOCAL_AWS_HOSTED_ZONE_IDS"
ID_TAG = "local-aws:id"


def settings_of(workspace: Workspace) -> dict[str, str]:
    """Settings of the local AWS: it gives the hosted zone of the workspace the id that it has in the real one."""
    tls = workspace.tls
    return {HOSTED_ZONE_IDS: f"{_zone_name(tls)}={tls.hosted_zone_id}"} if tls else {}


def make(session: boto3.Session, workspace: Workspace) -> None:
    """Make the hosted zone, the certificate, the VPC, the key, the secrets and the buckets that the workspace names."""
    if workspace.tls:
        session.client("route53").create_hosted_zone(Name=_zone_name(workspace.tls), CallerReference="1")
        if workspace.tls.certificate_arn:
            _certificate(session, workspace.tls, workspace.tls.certificate_arn)
    if workspace.network.existing:
        _vpc(session, workspace.network.existing)
    named = {bucket.name for part in workspace.sections.values() for bucket in part.buckets().values()}
    for bucket in named | ({workspace.share.bucket} if workspace.share else set()):
        _bucket(session, workspace, bucket)
    if arn := workspace.data.key_arn:
        session.client("kms").create_key(Tags=[{"TagKey": ID_TAG, "TagValue": arn.rpartition("/")[2]}])
    for arn in set(workspace.secret_arns.values()):
        id_ = arn.rpartition(":")[2]
        session.client("secretsmanager").create_secret(
            Name=id_.rpartition("-")[0], SecretString=secrets.token_urlsafe(24), Tags=[{"Key": ID_TAG, "Value": id_}]
        )


def _zone_name(tls: Tls) -> str:
    """The zone that a name is most likely in: all but its first label, unless that leaves one label only."""
    _, _, parent = tls.domain_name.partition(".")
    return parent if "." in parent else tls.domain_name


def _certificate(session: boto3.Session, tls: Tls, arn: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, tls.domain_name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(tls.domain_name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    session.client("acm").import_certificate(
        Certificate=certificate.public_bytes(serialization.Encoding.PEM),
        PrivateKey=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        Tags=[{"Key": ID_TAG, "Value": arn.rpartition("/")[2]}],
    )


def _vpc(session: boto3.Session, vpc: ExistingVpc) -> None:
    """With two zones, but without any way out: containers do not run here."""
    ec2 = session.client("ec2")
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
    ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=[_tags("vpc", vpc.vpc_id)])
    ec2.modify_vpc_attribute(VpcId=vpc.vpc_id, EnableDnsHostnames={"Value": True})
    for index, id_ in enumerate((*vpc.public_subnet_ids, *vpc.private_subnet_ids)):
        ec2.create_subnet(
            VpcId=vpc.vpc_id,
            CidrBlock=f"10.0.{index}.0/24",
            AvailabilityZone=zones[index % 2],
            TagSpecifications=[_tags("subnet", id_)],
        )


def _bucket(session: boto3.Session, workspace: Workspace, name: str) -> None:
    """One that sends its events to EventBridge, as those who use it expect."""
    s3 = session.client("s3")
    buckets.create(s3, name, region=workspace.region)
    s3.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}, SkipDestinationValidation=True
    )


def _tags(kind: Any, id_: str) -> Any:
    return {"ResourceType": kind, "Tags": [{"Key": ID_TAG, "Value": id_}]}
