"""What a rehearsal refuses to call a success."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from local_aws.install import install
from scripts.errors import Failed
from scripts.rehearsal import inventory, rehearse

install()

ROOT = Path(__file__).resolve().parents[3]
# moto alone lacks some of the listings.
install()


def test_fails_when_something_is_left() -> None:
    before = frozenset({("bucket", "state")})
    with pytest.raises(Failed, match="destroy left VPC vpc-1, bucket logs"):
        rehearse._look_for_what_is_left(before, before | {("bucket", "logs"), ("VPC", "vpc-1")})
    rehearse._look_for_what_is_left(before, before)


def test_inventory_sees_what_is_made_and_what_is_gone() -> None:
    with mock_aws():
        session = boto3.Session("testing", "testing", region_name="eu-west-1")
        ec2, ecs, kms = session.client("ec2"), session.client("ecs"), session.client("kms")
        before = inventory.take(session)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        cluster = ecs.create_cluster(clusterName="omero-lab")["cluster"]["clusterArn"]
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        made = inventory.take(session) - before
        assert {("VPC", vpc), ("cluster", cluster), ("KMS key", key)} <= made
        ec2.delete_vpc(VpcId=vpc)
        ecs.delete_cluster(cluster=cluster)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        assert not {("VPC", vpc), ("cluster", cluster), ("KMS key", key)} & inventory.take(session)


def test_refuses_an_unknown_workspace_before_anything_starts() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.main", "rehearse", "nosuch"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: workspace nosuch is unknown")
    assert "Traceback" not in done.stderr


def test_a_kept_rehearsal_can_be_used_in_a_shell_with_nothing_on_its_path() -> None:
    lines = "".join(rehearse.exports({"TF_WORKSPACE": "demo", "NO_PROXY": "a b,$(touch x)"}))
    show = 'command -v pipenv; printf "%s\\n" "$NO_PROXY" "$PATH"'
    done = subprocess.run(
        ["bash", "-c", f"{lines}{show}"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    tools = ROOT / ".tools" / "bin"
    assert done.stdout.splitlines() == [str(tools / "pipenv"), "a b,$(touch x)", f"{tools}:/usr/bin:/bin"]


def test_inventory_sees_a_certificates_proof() -> None:
    with mock_aws():
        session = boto3.Session("testing", "testing", region_name="eu-west-1")
        route53 = session.client("route53")
        zone = route53.create_hosted_zone(Name="example.org", CallerReference="1")["HostedZone"]["Id"]
        before = inventory.take(session)
        record = {"Name": "_x.omero.example.org", "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": "_y.acm"}]}
        change = {"Action": "CREATE", "ResourceRecordSet": record}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
        assert {name for _, name in inventory.take(session) - before} == {"_x.omero.example.org. CNAME"}
