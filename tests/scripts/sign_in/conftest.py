"""A workspace whose stack `frontend` is deployed, in an AWS in this process, as its resources are without Terraform."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import mock_aws

from local_aws.install import install
from scripts import console
from scripts.sign_in import command
from tests.conftest import LEAST as WORKSPACE
from tests.conftest import merged
from tests.scripts.deploy.state_help import ACCOUNT, clean_environment
from tests.settings.test_sign_in import LEAST, TLS

install()

REGION = "eu-west-1"
CLIENT_SECRET = "hunter2"


@dataclass
class Ran:
    """How a command ended, and what it said."""

    code: object
    out: str
    err: str

    @property
    def changes(self) -> list[str]:
        found: list[str] = json.loads(self.out)["changes"]
        return found


@dataclass
class Stage:
    """`run` runs a command as a person would."""

    session: boto3.Session
    folder: Path
    listener: str
    group: str
    targets: str
    secret: str
    run: Callable[..., Ran]

    def client(self, service: str) -> Any:
        made: Any = self.session.client(service)  # type: ignore[call-overload]
        return made

    def say(self, section: dict[str, Any] | None) -> None:
        """Write the workspace's file with this section, or without one."""
        base = {key: value for key, value in WORKSPACE.items() if key != "name"}
        values = merged(base, {**TLS, "account_id": ACCOUNT, "region": REGION})
        if section is not None:
            values["sign_in"] = {**LEAST, "client_secret_arn": self.secret, **section}
        (self.folder / "lab.yaml").write_text(yaml.safe_dump(values))

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Those beside the default."""
        found = self.client("elbv2").describe_rules(ListenerArn=self.listener)["Rules"]
        return [rule for rule in found if not rule["IsDefault"]]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Stage]:
    clean_environment(monkeypatch)
    monkeypatch.setenv("OMERO_WORKSPACES", str(tmp_path))
    monkeypatch.setenv("TF_WORKSPACE", "lab")

    def run(*words: str) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["sign-in", *words])
        monkeypatch.setattr(sys, "stdin", StringIO())
        with pytest.raises(SystemExit) as left:
            console.run(command.app)
        return Ran(left.value.code or 0, *capsys.readouterr())

    with mock_aws():
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield _deployed(boto3.Session(region_name=REGION), tmp_path, run)


def _deployed(session: boto3.Session, folder: Path, run: Callable[..., Ran]) -> Stage:
    ec2, elb = session.client("ec2"), session.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]
    group = ec2.create_security_group(GroupName="omero-lab-web-balancer", Description="x", VpcId=vpc)["GroupId"]
    ec2.revoke_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    way_out(ec2, group)
    balancer = elb.create_load_balancer(
        Name="omero-lab-web", Subnets=subnets, SecurityGroups=[group], Type="application"
    )
    targets = elb.create_target_group(Name="omero-lab-web", Protocol="HTTP", Port=4080, VpcId=vpc, TargetType="ip")[
        "TargetGroups"
    ][0]["TargetGroupArn"]
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=443,
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        Certificates=[{"CertificateArn": _certificate(session)}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}],
    )["Listeners"][0]["ListenerArn"]
    secret = session.client("secretsmanager").create_secret(Name="sign-in", SecretString=CLIENT_SECRET)["ARN"]
    for key, value in {
        "web_listener_arn": listener,
        "web_target_group_arn": targets,
        "web_balancer_security_group_id": group,
    }.items():
        session.client("ssm").put_parameter(Name=f"/omero/lab/frontend/{key}", Value=value, Type="String")
    made = Stage(session, folder, listener, group, targets, secret, run)
    made.say({})
    return made


def way_out(ec2: Any, group: str) -> None:
    """What the stack `frontend` has where the workspace has the section."""
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[rule])


def _certificate(session: boto3.Session) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "omero.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    return str(session.client("acm").import_certificate(Certificate=certificate, PrivateKey=private)["CertificateArn"])
