"""What `account_checks.check` refuses, each in the AWS that is as the workspace says but for one thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.ec2.models.vpcs import VPC as VPC_MODEL

from local_aws.install import install
from scripts.deploy import account_checks, backend, originals
from scripts.deploy.backend import StateBackend
from scripts.errors import Refused
from scripts.rehearsal import existing as stand_ins
from settings import Workspace
from tests.scripts.deploy.state_help import ACCOUNT, answer, clean_environment
from tests.scripts.deploy.state_help import state_backend as state_of_demo

install()

REGION = "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
CERTIFICATE = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/11111111-2222-3333-4444-555555555555"
VPC = "vpc-00000000000000001"
PUBLIC = ["subnet-0000000000000000a", "subnet-0000000000000000b"]
PRIVATE = ["subnet-0000000000000000c", "subnet-0000000000000000d"]
VALUES: dict[str, Any] = {
    "name": "lab",
    "account_id": ACCOUNT,
    "region": REGION,
    "topology": "rw-tls",
    "access": {"cidrs": ["192.0.2.0/24"]},
    "tls": {"domain_name": "omero.example.org", "hosted_zone_id": "Z0EXAMPLE", "certificate_arn": CERTIFICATE},
    "network": {"existing": {"vpc_id": VPC, "public_subnet_ids": PUBLIC, "private_subnet_ids": PRIVATE}},
    "data": {"key_arn": KEY},
}


def workspace(**changes: Any) -> Workspace:
    return Workspace.model_validate({**VALUES, **changes})


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """An AWS in which all is as `VALUES` say."""
    clean_environment(monkeypatch)
    for name, value in stand_ins.settings_of(workspace()).items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        made = boto3.Session(region_name=REGION)
        stand_ins.make(made, workspace())
        backend.create_bucket(state_of_demo())
        yield made


def state_backend(**changes: Any) -> StateBackend:
    there = state_of_demo()
    return StateBackend(workspace=workspace(**changes), session=there.session, s3=there.s3, dynamodb=there.dynamodb)


def test_lets_what_fits_through(session: boto3.Session) -> None:
    account_checks.check(state_backend())


def test_stand_ins_have_the_ids_that_the_workspace_names(session: boto3.Session) -> None:
    ec2 = session.client("ec2")
    assert {subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]} >= {*PUBLIC, *PRIVATE}
    assert session.client("kms").describe_key(KeyId=KEY)["KeyMetadata"]["Arn"] == KEY
    assert session.client("acm").describe_certificate(CertificateArn=CERTIFICATE)["Certificate"]["Status"] == "ISSUED"


def _turn_dns_off(session: boto3.Session) -> None:
    session.client("ec2").modify_vpc_attribute(VpcId=VPC, EnableDnsHostnames={"Value": False})


def _disable_key(session: boto3.Session) -> None:
    session.client("kms").disable_key(KeyId=KEY.rpartition("/")[2])


def _publish(session: boto3.Session) -> None:
    session.client("ssm").put_parameter(Name="/omero/lab/data/key_arn", Value=KEY, Type="String")


def _make_role(session: boto3.Session) -> None:
    session.client("iam").create_role(RoleName="omero-lab-web-task", AssumeRolePolicyDocument="{}")


def _make_record(session: boto3.Session) -> None:
    record = {
        "Name": "omero.example.org",
        "Type": "CNAME",
        "TTL": 60,
        "ResourceRecords": [{"Value": "other.example.net"}],
    }
    session.client("route53").change_resource_record_sets(
        HostedZoneId="Z0EXAMPLE", ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_turn_dns_off, "the VPC vpc-00000000000000001 has enableDnsHostnames off"),
        (_disable_key, r"data\.key_arn .* is Disabled; enable it"),
        (_publish, "already has an OMERO named lab .SSM parameter /omero/lab/data/key_arn., and its state is not in"),
        (_make_role, "already has an OMERO named lab .IAM role omero-lab-web-task, perhaps of another region."),
        (_make_record, r"omero\.example\.org already has a record in its hosted zone .other\.example\.net."),
    ],
)
def test_refuses_what_somebody_made_or_turned_off(
    session: boto3.Session, change: Callable[[boto3.Session], None], said: str
) -> None:
    change(session)
    with pytest.raises(Refused, match=said):
        account_checks.check(state_backend())


@pytest.mark.parametrize("change", [_publish, _make_role, _make_record])
def test_does_not_mind_what_is_its_own(session: boto3.Session, change: Callable[[boto3.Session], None]) -> None:
    there = state_backend()
    for stack in ("network", "data", "frontend", "omero"):
        body = json.dumps({"resources": [{}]}).encode()
        there.s3.put_object(Bucket=there.bucket, Key=f"omero/lab/{stack}.tfstate", Body=body)
    change(session)
    account_checks.check(there)


def _network(**changes: Any) -> dict[str, Any]:
    return {"network": {"existing": {**VALUES["network"]["existing"], **changes}}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (_network(vpc_id="vpc-00000000000000009"), "vpc-00000000000000009 is not a VPC of eu-west-1 in this account"),
        (_network(public_subnet_ids=[PUBLIC[0], "subnet-00000000000000009"]), "which is not a subnet of eu-west-1"),
        (_network(private_subnet_ids=[PRIVATE[0], PUBLIC[0]]), "private_subnet_ids are both in eu-west-1a; give one"),
        ({"data": {"key_arn": KEY.replace("1111-2", "1111-9")}}, "is not a KMS key"),
        (
            {"tls": {**VALUES["tls"], "certificate_arn": CERTIFICATE.replace("1111-2", "1111-9")}},
            "is not a certificate of this account",
        ),
        (
            {"tls": {**VALUES["tls"], "domain_name": "slides.example.org"}},
            r"certificate_arn is for omero\.example\.org, not for slides\.example\.org",
        ),
        (
            {"network": {"availability_zones": ["eu-west-1a", "eu-west-1z"]}},
            "eu-west-1z, which is not an Availability Zone of eu-west-1 .* allowed: eu-west-1a, eu-west-1b, eu-west-1c",
        ),
    ],
)
def test_refuses_what_is_not_there(session: boto3.Session, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        account_checks.check(state_backend(**changes))


def test_refuses_a_vpc_that_another_account_shares(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VPC_MODEL, "owner_id", property(lambda _: "210987654321"))
    with pytest.raises(Refused, match=f"{VPC} belongs to account 210987654321, which shares it: Cloud Map cannot"):
        account_checks.check(state_backend())


def _own_certificate() -> dict[str, Any]:
    return {"tls": {key: value for key, value in VALUES["tls"].items() if key != "certificate_arn"}}


def _validate(session: boto3.Session, domain: str) -> None:
    record = {
        "Name": f"_0123456789abcdef0123456789abcdef.{domain}",
        "Type": "CNAME",
        "TTL": 300,
        "ResourceRecords": [{"Value": "_fedcba9876543210fedcba9876543210.abcdefghij.acm-validations.aws."}],
    }
    session.client("route53").change_resource_record_sets(
        HostedZoneId="Z0EXAMPLE", ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )


def test_asks_about_quotas_and_the_key_of_disks(session: boto3.Session) -> None:
    crowded = {"access": {"cidrs": [f"10.0.{number}.0/24" for number in range(31)]}}
    with pytest.raises(Refused, match=r"access\.cidrs makes 62 rules in one security group, and AWS takes 60"):
        account_checks.check(state_backend(**crowded))
    own = session.client("kms").create_key()["KeyMetadata"]["Arn"]
    session.client("ec2").modify_ebs_default_kms_key_id(KmsKeyId=own)
    account_checks.check(state_backend())
    with pytest.raises(Refused, match="so that no instance would start"):
        account_checks.check(state_backend(omero={"server": {"launch_type": "EC2"}}))


def test_refuses_to_adopt_a_validation_record(session: boto3.Session) -> None:
    there = state_backend(**_own_certificate())
    _validate(session, "other.example.org")
    account_checks.check(there)
    _validate(session, "omero.example.org")
    with pytest.raises(Refused, match=r"has a validation record of omero\.example\.org already .* another certificate"):
        account_checks.check(there)
    account_checks.check(state_backend())  # with the certificate that it belongs to
    body = json.dumps({"resources": [{"mode": "managed", "type": "aws_acm_certificate", "name": "x"}]}).encode()
    there.s3.put_object(Bucket=there.bucket, Key="omero/lab/frontend.tfstate", Body=body)
    account_checks.check(there)


def test_refuses_a_subnet_of_another_vpc(session: boto3.Session) -> None:
    ec2 = session.client("ec2")
    other = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    foreign = ec2.create_subnet(VpcId=other, CidrBlock="10.7.0.0/24")["Subnet"]["SubnetId"]
    with pytest.raises(Refused, match=f"has {foreign}, which is in {other} and not in {VPC}"):
        account_checks.check(state_backend(**_network(public_subnet_ids=[PUBLIC[0], foreign])))


def test_refuses_a_key_that_cannot_encrypt(session: boto3.Session) -> None:
    arn = session.client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
    with pytest.raises(Refused, match="is a RSA_2048 key for SIGN_VERIFY; give a SYMMETRIC_DEFAULT"):
        account_checks.check(state_backend(data={"key_arn": arn}))


def test_refuses_too_few_addresses(session: boto3.Session) -> None:
    ec2 = session.client("ec2")
    ids = [
        ec2.create_subnet(VpcId=VPC, CidrBlock=f"10.0.9.{start}/28", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for start, zone in ((0, "eu-west-1a"), (16, "eu-west-1b"))
    ]
    scaled = {"web": {"max_count": 10}}
    with pytest.raises(Refused, match=r"have 22 free addresses, and the containers, .* need 31; give larger subnets"):
        account_checks.check(state_backend(**_network(private_subnet_ids=ids), omero=scaled))


def test_refuses_a_certificate_that_is_not_issued(session: boto3.Session) -> None:
    arn = session.client("acm").request_certificate(DomainName="omero.example.org", ValidationMethod="DNS")
    tls = {**VALUES["tls"], "certificate_arn": arn["CertificateArn"]}
    with pytest.raises(Refused, match="is PENDING_VALIDATION; give one that is ISSUED"):
        account_checks.check(state_backend(tls=tls))


def _gateway() -> Workspace:
    """A workspace with a File Gateway for the bucket `lab-slides`, which somebody else has made."""
    values = {key: VALUES[key] for key in ("name", "account_id", "region", "access")}
    return Workspace.model_validate({**values, "topology": "rw-http-s3fg", "file_gateway": {"bucket": "lab-slides"}})


def _check_gateway(there: StateBackend) -> None:
    account_checks.check(
        StateBackend(workspace=_gateway(), session=there.session, s3=there.s3, dynamodb=there.dynamodb)
    )


def test_looks_at_the_file_gateways_bucket(session: boto3.Session) -> None:
    with pytest.raises(Refused, match=r"file_gateway\.bucket lab-slides does not exist; create it first, or remove it"):
        _check_gateway(state_backend())
    session.client("s3").create_bucket(
        Bucket="lab-slides", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    _check_gateway(state_backend())


_ALL = {"Filter": {"Prefix": ""}, "Status": "Enabled"}


def _with_rule(session: boto3.Session, **rule: Any) -> None:
    s3 = session.client("s3")
    s3.create_bucket(Bucket="lab-slides", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    rules: Any = {"Rules": [{"ID": "mine", **_ALL, **rule}]}
    s3.put_bucket_lifecycle_configuration(Bucket="lab-slides", LifecycleConfiguration=rules)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"Expiration": {"Days": 3650}}, "deletes objects"),
        ({"Expiration": {"Date": "2030-01-01T00:00:00Z"}}, "deletes objects"),
        ({"Filter": {"Prefix": "old/"}, "Expiration": {"Days": 90}}, "deletes objects"),
        ({"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}, "archives objects in GLACIER"),
        ({"Transitions": [{"Days": 180, "StorageClass": "DEEP_ARCHIVE"}]}, "archives objects in DEEP_ARCHIVE"),
    ],
)
def test_refuses_a_bucket_whose_images_would_be_lost(session: boto3.Session, rule: dict[str, Any], said: str) -> None:
    _with_rule(session, **rule)
    with pytest.raises(
        Refused, match=rf"^file_gateway\.bucket lab-slides has the lifecycle rule mine, which {said}, and"
    ):
        _check_gateway(state_backend())
    values = {key: VALUES[key] for key in ("name", "account_id", "region", "access")}
    share = Workspace.model_validate({**values, "share": {"address": "10.0.0.9", "bucket": "lab-slides"}})
    there = state_backend()
    with pytest.raises(Refused, match=r"^share\.bucket lab-slides has the lifecycle rule mine"):
        account_checks.check(StateBackend(workspace=share, session=there.session, s3=there.s3, dynamodb=there.dynamodb))
    # What DataSync has copied needs its object no more.
    _check_datasync(there, start_on_arrival=False)


@pytest.mark.parametrize(
    "rule",
    [
        {"Status": "Disabled", "Expiration": {"Days": 1}},
        {"Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}},
        {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
        {"Transitions": [{"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}]},
        {"Transitions": [{"Days": 90, "StorageClass": "GLACIER_IR"}]},
    ],
)
def test_lets_rules_be_that_lose_no_image(session: boto3.Session, rule: dict[str, Any]) -> None:
    _with_rule(session, **rule)
    _check_gateway(state_backend())


def test_warns_of_a_bucket_that_does_not_tell(
    session: boto3.Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    s3 = session.client("s3")
    answer(s3, "GetBucketLifecycleConfiguration", 403)
    monkeypatch.setattr(session, "client", lambda *_, **__: s3)
    originals.check(session, "share.bucket", "lab-slides")
    assert "share.bucket lab-slides does not tell you its lifecycle rules" in capsys.readouterr().err


def test_refuses_a_share_of_no_bucket(session: boto3.Session) -> None:
    with pytest.raises(
        Refused, match=r"^share\.bucket lab-slides does not exist; give the bucket that the share shows"
    ):
        originals.check(session, "share.bucket", "lab-slides")


def test_refuses_a_bucket_in_another_region(session: boto3.Session) -> None:
    session.client("s3", region_name="us-west-2").create_bucket(
        Bucket="lab-slides", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    with pytest.raises(Refused, match="lab-slides is in region us-west-2, and the workspace is in eu-west-1"):
        _check_gateway(state_backend())


def test_refuses_a_bucket_of_another_account(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = session.client("s3")
    asked: list[str] = []
    s3.meta.events.register("before-call.s3.HeadBucket", lambda params, **_: asked.append(str(params["headers"])))
    answer(s3, "HeadBucket", 403)
    monkeypatch.setattr(session, "client", lambda *_, **__: s3)
    with pytest.raises(Refused, match=r"lab-slides belongs to another account than 123456789012, or its policy denies"):
        account_checks._check_bucket(session, _gateway(), "file_gateway.bucket", "lab-slides")
    assert f"'x-amz-expected-bucket-owner': '{ACCOUNT}'" in asked[0]


def _check_datasync(there: StateBackend, **settings: Any) -> None:
    values = {key: VALUES[key] for key in ("name", "account_id", "region", "access")}
    values |= {"topology": "rw-http", "datasync": {"bucket": "lab-slides", **settings}}
    chosen = Workspace.model_validate(values)
    account_checks.check(StateBackend(workspace=chosen, session=there.session, s3=there.s3, dynamodb=there.dynamodb))


def test_refuses_a_bucket_that_would_start_nothing(session: boto3.Session) -> None:
    with pytest.raises(Refused, match=r"^datasync\.bucket lab-slides does not exist"):
        _check_datasync(state_backend())
    s3 = session.client("s3")
    s3.create_bucket(Bucket="lab-slides", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(Refused, match=r"does not send its events to EventBridge.*or set datasync\.start_on_arrival: f"):
        _check_datasync(state_backend())
    _check_datasync(state_backend(), start_on_arrival=False)
    s3.put_bucket_notification_configuration(
        Bucket="lab-slides", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    _check_datasync(state_backend())
