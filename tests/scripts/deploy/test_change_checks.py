"""What `change_checks.check` refuses, each in an AWS with a deployment that is as the workspace says but for that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local_aws.install import install
from scripts.deploy import change_checks
from scripts.errors import Refused
from settings import Workspace
from tests.scripts.deploy.state_help import ACCOUNT, clean_environment

install()

REGION = "eu-west-1"
OTHER_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
EXISTING = {
    "vpc_id": "vpc-00000000000000001",
    "public_subnet_ids": ["subnet-0000000000000000a", "subnet-0000000000000000b"],
    "private_subnet_ids": ["subnet-0000000000000000c", "subnet-0000000000000000d"],
}
CIDRS = ("10.192.10.0/24", "10.192.11.0/24", "10.192.20.0/24", "10.192.21.0/24")
VALUES: dict[str, Any] = {
    "name": "lab",
    "account_id": ACCOUNT,
    "region": REGION,
    "access": {"cidrs": ["192.0.2.0/24"], "server": {"cidrs": ["192.0.2.0/24"]}},
}


def workspace(**changes: Any) -> Workspace:
    return Workspace.model_validate({**VALUES, **changes})


def _publish(session: boto3.Session, path: str, value: str) -> None:
    session.client("ssm").put_parameter(Name=f"/omero/lab/{path}", Value=value, Type="String", Overwrite=True)


def _network(session: boto3.Session, *, tags: dict[str, str]) -> list[str]:
    ec2 = session.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.192.0.0/16")["Vpc"]["VpcId"]
    if tags:
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}{'ab'[index % 2]}")["Subnet"][
            "SubnetId"
        ]
        for index, cidr in enumerate(CIDRS)
    ]
    _publish(session, "network/vpc_id", vpc)
    _publish(session, "network/public_subnet_ids", ",".join(subnets[:2]))
    _publish(session, "network/private_subnet_ids", ",".join(subnets[2:]))
    return subnets


def _balancers(session: boto3.Session, subnets: list[str], *, protected: bool) -> None:
    elb = session.client("elbv2")
    for name, kind in (("omero-lab-web", "application"), ("omero-lab-server", "network")):
        made: Any = elb.create_load_balancer(Name=name, Type=kind, Subnets=subnets[:2], Scheme="internet-facing")
        elb.modify_load_balancer_attributes(
            LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
            Attributes=[{"Key": "deletion_protection.enabled", "Value": str(protected).lower()}],
        )


def _deploy(session: boto3.Session, *, protected: bool = True) -> None:
    subnets = _network(session, tags={"Workspace": "lab"})
    kms = session.client("kms")
    key: Any = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/omero-lab-data", TargetKeyId=key["KeyId"])
    _publish(session, "data/key_arn", key["Arn"])
    _balancers(session, subnets, protected=protected)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    clean_environment(monkeypatch)
    with mock_aws():
        yield boto3.Session(region_name=REGION)


def _refused(session: boto3.Session, **changes: Any) -> list[str]:
    with pytest.raises(Refused) as raised:
        change_checks.check(session, workspace(**changes))
    return str(raised.value).splitlines()


def test_minds_nothing_before_the_first_deployment(session: boto3.Session) -> None:
    change_checks.check(session, workspace(data={"key_arn": OTHER_KEY}))


def test_does_not_mind_what_has_not_changed(session: boto3.Session) -> None:
    _deploy(session)
    change_checks.check(session, workspace())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": {"cidr": "10.0.0.0/16"}}, r"network.cidr is 10.0.0.0/16, but OMERO is deployed in 10.192.0.0/16"),
        (
            {"network": {"private_subnets": ["10.192.30.0/24", "10.192.31.0/24"]}},
            "network.private_subnets is [10.192.30.0/24, 10.192.31.0/24], but OMERO is deployed in [10.192.20.0/24, ",
        ),
        (
            {"network": {"availability_zones": ["eu-west-1b", "eu-west-1c"]}},
            "network.availability_zones is [eu-west-1b, eu-west-1c], but OMERO is deployed in [eu-west-1a, eu-west-1b]",
        ),
        (
            {"network": {"existing": EXISTING}},
            "network.existing.vpc_id is vpc-00000000000000001, but OMERO is deployed in",
        ),
        ({"data": {"key_arn": OTHER_KEY}}, f"data.key_arn is {OTHER_KEY}, but images and metadata are encrypted with"),
    ],
)
def test_refuses_what_would_replace_the_data(session: boto3.Session, changes: dict[str, Any], said: str) -> None:
    _deploy(session, protected=False)
    (sentence,) = _refused(session, **changes)
    assert sentence.startswith(said)
    assert sentence.endswith("or deploy a second workspace and move the data there.")


def test_refuses_to_leave_an_existing_vpc_and_key(session: boto3.Session) -> None:
    _network(session, tags={})
    _publish(session, "data/key_arn", OTHER_KEY)
    network, key = _refused(session)
    assert network.startswith("network.existing is missing, but OMERO is deployed in the existing VPC vpc-")
    assert key.endswith(f"set data.key_arn to {OTHER_KEY}.")


def test_refuses_other_subnets_of_an_existing_vpc(session: boto3.Session) -> None:
    subnets = _network(session, tags={})
    vpc = str(session.client("ec2").describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"])
    ids = {"public_subnet_ids": subnets[:2], "private_subnet_ids": subnets[2:]}
    change_checks.check(session, workspace(network={"existing": {"vpc_id": vpc, **ids}}))
    ids["private_subnet_ids"] = ids["private_subnet_ids"][::-1]
    (sentence,) = _refused(session, network={"existing": {"vpc_id": vpc, **ids}})
    assert sentence.startswith("network.existing.private_subnet_ids is [subnet-")


def test_refuses_to_replace_a_protected_balancer(session: boto3.Session) -> None:
    _deploy(session)
    access = {**VALUES["access"], "internal": True}
    for name, sentence in zip(("web", "server"), _refused(session, access=access), strict=True):
        assert sentence.startswith(
            f"access.internal is true, so the internet-facing load balancer omero-lab-{name} would be replaced, but "
            "its deletion protection is on; turn it off first: `aws elbv2 modify-load-balancer-attributes"
        )


def test_refuses_to_delete_a_protected_balancer(session: boto3.Session) -> None:
    _deploy(session)
    (sentence,) = _refused(session, access={"cidrs": ["192.0.2.0/24"]})
    assert sentence.startswith("access.server is missing, so the load balancer omero-lab-server would be deleted")


def test_lets_an_unprotected_balancer_go(session: boto3.Session) -> None:
    _deploy(session, protected=False)
    change_checks.check(session, workspace(access={"cidrs": ["192.0.2.0/24"], "internal": True}))


def test_refuses_to_leave_a_rule_that_signs_people_in_without_a_way(session: boto3.Session) -> None:
    _deploy(session, protected=False)
    elb: Any = session.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["omero-lab-web"])["LoadBalancers"][0]["LoadBalancerArn"]
    answer = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    listener = elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=answer)[
        "Listeners"
    ][0]["ListenerArn"]
    _publish(session, "frontend/web_listener_arn", listener)
    change_checks.check(session, workspace())
    rule = elb.create_rule(
        ListenerArn=listener,
        Priority=10,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
        Actions=answer,
        Tags=[{"Key": "Workspace", "Value": "lab"}, {"Key": "ManagedBy", "Value": "omero-aws sign-in"}],
    )["Rules"][0]["RuleArn"]
    (sentence,) = _refused(session)
    assert sentence == (
        f"sign_in is missing, but the load balancer signs people in by the rule {rule}; run `omero-aws sign-in remove "
        "-w lab` first, or put the section back."
    )
