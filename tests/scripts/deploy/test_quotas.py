"""What the account may have, as Service Quotas tells, and what a workspace needs."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

import local_aws.quotas
from local_aws.install import install
from scripts.deploy import quotas
from scripts.errors import Refused
from tests.conftest import of_type, workspace
from tests.scripts.deploy.state_help import answer

install()
ALL = frozenset({"network", "data", "frontend", "omero"})


def ranges(count: int) -> list[str]:
    return [f"10.{number // 256}.{number % 256}.0/24" for number in range(count)]


@pytest.fixture
def session(mocked_aws: object, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", workspace().account_id)
    return boto3.Session(region_name="eu-central-1")


def telling(monkeypatch: pytest.MonkeyPatch, **values: int) -> None:
    """Give the account these quotas, which its AWS then tells and keeps."""
    for name, value in values.items():
        monkeypatch.setitem(local_aws.quotas.VALUES, name, value)


def test_counts_rules_as_the_stacks_make_them(synthesise: Any) -> None:
    changes = {
        "topology": "rw-tls-nlb",
        "tls": {"domain_name": "omero.example.org", "hosted_zone_id": "Z1"},
        "access": {"server": {"cidrs": ranges(3), "unencrypted": True, "websockets": True}},
    }
    counted = quotas.rules_of_groups(workspace(**changes))
    made: dict[str, int] = {}
    for rule in of_type(synthesise(**changes)["frontend"], "aws_vpc_security_group_ingress_rule").values():
        made[rule["security_group_id"]] = made.get(rule["security_group_id"], 0) + 1
    assert sorted(counted.values()) == sorted(made.values()) == [4, 12]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"access": {"cidrs": ranges(61)}}, r"access\.cidrs makes 61 rules in one security group, and AWS takes 60"),
        (
            {
                "topology": None,
                "access": {"cidrs": ranges(31)},
                "tls": {"domain_name": "omero.example.org", "hosted_zone_id": "Z1"},
            },
            r"access\.cidrs makes 62 rules",
        ),
    ],
)
def test_refuses_more_rules_than_a_group_takes(session: boto3.Session, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        quotas.check(session, workspace(**changes), ALL)


def test_a_raised_quota_counts(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    telling(monkeypatch, rules=100)
    quotas.check(session, workspace(access={"cidrs": ranges(61)}), ALL)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"fargate_vcpu": 6}, r"needs 8, and the account may have 6 \(quota L-3032A538 of fargate.*lower cpu or count"),
        ({"vpc": 1}, "needs 2, and the account may have 1 .*network.existing"),
        ({"eip": 1}, "needs 2, and the account may have 1 .*nat_gateways: single"),
    ],
)
def test_refuses_what_goes_beyond_a_quota(
    session: boto3.Session, monkeypatch: pytest.MonkeyPatch, told: dict[str, int], said: str
) -> None:
    telling(monkeypatch, **told)
    with pytest.raises(Refused, match=said):
        quotas.check(session, workspace(), frozenset())


def test_counts_instances(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    on_ec2 = workspace(omero={"server": {"launch_type": "EC2"}})
    assert quotas.vcpus(on_ec2) == (4, 4)
    telling(monkeypatch, ec2_vcpu=2)
    with pytest.raises(Refused, match="choose a smaller type"):
        quotas.check(session, on_ec2, ALL)


def test_goes_on_where_quotas_are_not_told(
    session: boto3.Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = session.client

    def client(service: str, **more: Any) -> Any:
        found = made(service, **more)  # type: ignore[call-overload]
        if service == "service-quotas":
            answer(found, "GetServiceQuota", 400, json.dumps({"__type": "AccessDeniedException", "message": "no"}))
        return found

    monkeypatch.setattr(session, "client", client)
    quotas.check(session, workspace(), ALL)
    assert "not checked, because Service Quotas does not tell: " in " ".join(capsys.readouterr().err.split())


def test_aws_refuses_what_was_not_checked(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    telling(monkeypatch, vpc=1)
    with pytest.raises(session.client("ec2").exceptions.ClientError, match="VpcLimitExceeded"):
        session.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")


def test_every_quota_is_told_here() -> None:
    """By the codes that AWS's quotas have, too, so that a rehearsal checks all of them."""
    asked = (quotas.RULES, quotas.VPCS, quotas.ADDRESSES, quotas.INSTANCE_VCPUS, quotas.FARGATE_VCPUS)
    for quota in asked:
        told = local_aws.quotas.by_code(quota.service, quota.code)
        assert told
        assert told[0].name == quota.name


def test_asks_as_the_api_has_it() -> None:
    """The call fits botocore's model, and a value is where that says."""
    client = boto3.client(
        "service-quotas", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        for quota in (quotas.RULES, quotas.VPCS, quotas.ADDRESSES, quotas.INSTANCE_VCPUS, quotas.FARGATE_VCPUS):
            expected = {"ServiceCode": quota.service, "QuotaCode": quota.code}
            stub.add_response("get_service_quota", {"Quota": {"QuotaCode": quota.code, "Value": 7.0}}, expected)
            answered = client.get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)
            assert answered["Quota"]["Value"] == 7
