"""`sftp ensure` makes the endpoint, mends it, changes nothing twice, and goes on after a kill at any AWS call."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncssh
import pytest

from contract.outputs import Network
from contract.sections.sftp import SftpOutputs
from local_aws.testing.sftp import TRUST
from scripts.changes import changing
from scripts.errors import Failed, Refused
from scripts.ingest.sftp import command as sftp
from scripts.ingest.sftp import context, host_keys, logs, network, server
from tests.scripts.ingest.sftp.sftp_help import PUBLIC, Killed, Stage, calls, make_stage

READ = ("Get", "List", "Describe")


def as_deployed(stage: Stage) -> dict[str, Any]:
    """All that `ensure` looks after, without ids and times that AWS gives."""
    ec2, iam, logs_ = stage.client("ec2"), stage.client("iam"), stage.client("logs")
    shown = stage.server
    name = stage.context.deployment.workspace.name
    details = shown.get("EndpointDetails") or {}
    group = network.find_group(stage.context, ec2) or {}
    kept = host_keys.read(stage.context)
    (log_group,) = logs_.describe_log_groups(logGroupNamePrefix=f"/omero/{name}/sftp")["logGroups"]
    (counted,) = logs_.describe_metric_filters(logGroupName=log_group["logGroupName"])["metricFilters"]
    (alarm,) = stage.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"omero-{name}")["MetricAlarms"]
    servers = stage.context.transfer.list_servers()["Servers"]
    assert kept
    found = {
        "state": shown["State"],
        "policy": shown["SecurityPolicyName"],
        "logs": shown["StructuredLogDestinations"],
        "type": (shown["Domain"], shown["EndpointType"], shown["Protocols"], shown["IdentityProviderType"]),
        "tags": sorted((tag["Key"], tag["Value"]) for tag in shown["Tags"]),
        "subnets": sorted(details.get("SubnetIds", [])),
        "addresses": (len(details.get("AddressAllocationIds", [])), len(network.addresses(stage.context))),
        "servers": len([each for each in servers if each["ServerId"] == shown["ServerId"]]),
        "ways in": sorted(
            (rule["FromPort"], each["CidrIp"]) for rule in group.get("IpPermissions", []) for each in rule["IpRanges"]
        ),
        "ways out": group.get("IpPermissionsEgress"),
        "host keys": sorted(
            row["Type"] for row in stage.context.transfer.list_host_keys(ServerId=shown["ServerId"])["HostKeys"]
        ),
        "shown host keys": sorted(stage.address["host_keys"]) == sorted(kept.public_lines),
        "retention": (log_group["retentionInDays"], log_group["kmsKeyId"]),
        "filter": (counted["filterPattern"], counted["metricTransformations"]),
        "alarm": {key: alarm[key] for key in ("Threshold", "AlarmActions", "MetricName", "Period", "TreatMissingData")},
        "roles": [
            (
                iam.get_role(RoleName=f"omero-{name}-sftp-{role}")["Role"]["AssumeRolePolicyDocument"],
                iam.get_role_policy(RoleName=f"omero-{name}-sftp-{role}", PolicyName="files")["PolicyDocument"],
            )
            for role in ("sender", "reader")
        ],
    }
    text = json.dumps(found).replace(name, "NAME").replace(stage.files.name, "FILES")
    found_again: dict[str, Any] = json.loads(text)
    return found_again


def test_makes_the_endpoint_safe_by_default(stage: Stage) -> None:
    stage.ensure()
    found = as_deployed(stage)
    assert found["state"] == "ONLINE"
    assert found["policy"] == "TransferSecurityPolicy-2025-03"
    assert found["type"] == ["EFS", "VPC", ["SFTP"], "SERVICE_MANAGED"]
    assert (found["addresses"], found["servers"]) == ([2, 2], 1)
    assert (found["ways in"], found["ways out"]) == ([[22, "192.0.2.0/24"]], [])
    assert (found["host keys"], found["shown host keys"]) == (["ssh-ed25519", "ssh-rsa"], True)
    assert found["retention"][0] == 365
    assert found["alarm"]["Threshold"] == 20
    assert found["alarm"]["AlarmActions"] == [stage.context.deployment.parameter(SftpOutputs.alarm_topic_arn)]
    sender, reader = found["roles"]
    (trust,) = sender[0]["Statement"]
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    assert sender[1]["Statement"][0]["Action"] == ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    assert reader[1]["Statement"][0]["Action"] == "elasticfilesystem:ClientMount"
    assert sender[1]["Statement"][0]["Resource"].endswith(":file-system/FILES")


def test_second_run_only_looks(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    stage.ensure()
    capsys.readouterr()
    with calls(stage) as names:
        assert stage.ensure() == []
    assert [name for name in names if not name.startswith(READ)] == []


def test_dry_run_changes_nothing_and_says_all(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    with calls(stage) as names, changing(dry_run=True) as planned:
        sftp.ensure(stage.context, planned)
    assert [name for name in names if not name.startswith(READ)] == []
    assert any("server: created, endpoint vpc with Elastic IPs" in sentence for sentence in planned.sentences)
    assert all(line.startswith("would be done: ") for line in capsys.readouterr().err.splitlines())
    stage.ensure()
    before = as_deployed(stage)
    other = stage.with_(cidrs=["203.0.113.0/24"], internal=True, log_retention_days=30)
    with calls(stage) as names, changing(dry_run=True) as planned:
        sftp.ensure(other, planned)
    assert [name for name in names if not name.startswith(READ)] == []
    assert as_deployed(stage) == before
    said = "\n".join(planned.sentences)
    assert said.count("stopped for some minutes, which ends every session") == 1
    for part in (
        "retention set to 30 days",
        "inbound rule for 203.0.113.0/24 added",
        "inbound rule for 192.0.2.0/24 (ports 22 to 22) removed",
        "addresses removed",
        "started",
    ):
        assert part in said


def test_host_keys_stay_the_same_when_the_server_is_made_anew(stage: Stage) -> None:
    stage.ensure()
    before, first = sorted(stage.address["host_keys"]), stage.server["ServerId"]
    stage.clear()
    stage.ensure()
    assert stage.server["ServerId"] != first
    assert sorted(stage.address["host_keys"]) == before


def test_host_keys_are_taken_back_from_their_deletion(stage: Stage) -> None:
    stage.ensure()
    before = sorted(stage.address["host_keys"])
    stage.client("secretsmanager").delete_secret(SecretId=host_keys.secret_name(stage.context))
    assert "restored from its scheduled deletion" in stage.ensure()[0]
    assert sorted(stage.address["host_keys"]) == before


def test_a_secret_that_is_no_host_key_is_not_written_over(stage: Stage) -> None:
    name = host_keys.secret_name(stage.context)
    stage.client("secretsmanager").create_secret(Name=name, SecretString="mine")
    with pytest.raises(Refused, match=f"the secret {name} does not hold host keys that this program wrote") as caught:
        stage.ensure()
    assert "mine" not in str(caught.value)
    assert stage.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"] == "mine"


def _foreign_host_key(stage: Stage) -> None:
    body = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    id_ = stage.server["ServerId"]
    stage.context.transfer.import_host_key(ServerId=id_, HostKeyBody=body)
    (ours,) = [
        row
        for row in stage.context.transfer.list_host_keys(ServerId=id_)["HostKeys"]
        if row["Type"] == "ssh-ed25519" and row["Description"] != ""
    ] or [None]
    if ours:
        stage.context.transfer.delete_host_key(ServerId=id_, HostKeyId=ours["HostKeyId"])


def _open_the_group(stage: Stage) -> None:
    group = network.find_group(stage.context, stage.client("ec2"))["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    other = {"IpProtocol": "tcp", "FromPort": 2222, "ToPort": 2222, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    stage.client("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule, other])


def _other_group(stage: Stage) -> None:
    ec2, endpoint = stage.client("ec2"), stage.server["EndpointDetails"]["VpcEndpointId"]
    vpc = stage.context.deployment.parameter(Network.vpc_id)
    foreign = ec2.create_security_group(GroupName=f"foreign-{endpoint}", Description="x", VpcId=vpc)["GroupId"]
    ours = network.find_group(stage.context, ec2)["GroupId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddSecurityGroupIds=[foreign], RemoveSecurityGroupIds=[ours])


def _without_addresses(stage: Stage) -> None:
    with changing() as changes:
        server._take_offline(stage.context, stage.server, changes)
    stage.context.transfer.update_server(
        ServerId=stage.server["ServerId"], EndpointDetails={"AddressAllocationIds": []}
    )


def _update(**what: Any) -> Callable[[Stage], object]:
    return lambda stage: stage.context.transfer.update_server(ServerId=stage.server["ServerId"], **what)


DRIFT: dict[str, tuple[str, Callable[[Stage], object]]] = {
    "security policy": ("security policy", _update(SecurityPolicyName="TransferSecurityPolicy-2018-11")),
    "logs": ("logs to", _update(StructuredLogDestinations=[])),
    "offline": ("started", lambda stage: stage.context.transfer.stop_server(ServerId=stage.server["ServerId"])),
    "addresses": ("2 Elastic IPs associated", _without_addresses),
    "host key": ("foreign host key", _foreign_host_key),
    "open group": ("inbound rule for 0.0.0.0/0 (ports 22 to 22) removed", _open_the_group),
    "other group": ("set as the only one", _other_group),
    "retention": (
        "retention set to 365 days",
        lambda stage: stage.client("logs").put_retention_policy(
            logGroupName=stage.context.log_group_name, retentionInDays=1
        ),
    ),
    "alarm": (
        "alarm",
        lambda stage: stage.client("cloudwatch").delete_alarms(AlarmNames=[logs.alarm_name(stage.context)]),
    ),
    "filter": (
        "metric filter of refused keys set",
        lambda stage: stage.client("logs").delete_metric_filter(
            logGroupName=stage.context.log_group_name, filterName=logs.alarm_name(stage.context)
        ),
    ),
    "role": (
        "may read and write",
        lambda stage: stage.client("iam").delete_role_policy(
            RoleName=stage.context.role_name(read_only=False), PolicyName="files"
        ),
    ),
    "trust": (
        "its trust policy set",
        lambda stage: stage.client("iam").update_assume_role_policy(
            RoleName=stage.context.role_name(read_only=True),
            PolicyDocument=json.dumps(TRUST),
        ),
    ),
    "tag": (
        "tagged with Name",
        lambda stage: stage.context.transfer.untag_resource(Arn=stage.server["Arn"], TagKeys=["Name"]),
    ),
}


def test_mends_what_somebody_changed(stage: Stage) -> None:
    stage.ensure()
    wanted = as_deployed(stage)
    for name, (said, spoil) in DRIFT.items():
        spoil(stage)
        changes = stage.ensure()
        assert any(said in sentence for sentence in changes), (name, changes)
        assert as_deployed(stage) == wanted, name
    assert stage.ensure() == []


def test_goes_from_one_kind_of_endpoint_to_another(stage: Stage) -> None:
    stage.ensure(**PUBLIC)
    server_id = stage.server["ServerId"]
    found = as_deployed(stage)
    assert (found["type"][1], found["addresses"], found["ways in"]) == ("PUBLIC", [0, 0], [])
    stage.ensure()
    found = as_deployed(stage)
    assert (found["type"][1], found["addresses"], found["ways in"]) == ("VPC", [2, 2], [[22, "192.0.2.0/24"]])
    stage.ensure(internal=True)
    found = as_deployed(stage)
    assert (found["state"], found["addresses"]) == ("ONLINE", [0, 0])
    assert found["subnets"] == sorted(stage.context.deployment.listed(Network.private_subnet_ids))
    stage.ensure()
    assert as_deployed(stage)["subnets"] == sorted(stage.context.deployment.listed(Network.public_subnet_ids))
    stage.ensure(**PUBLIC)
    found = as_deployed(stage)
    assert (found["state"], found["type"][1], found["addresses"], found["ways in"]) == ("ONLINE", "PUBLIC", [0, 0], [])
    assert stage.server["ServerId"] == server_id
    assert stage.ensure(**PUBLIC) == []


def test_stopped_on_purpose_stays_stopped(stage: Stage) -> None:
    stage.ensure()
    with changing() as changes:
        server.stop(stage.context, stage.server, changes)
    assert stage.server["State"] == "OFFLINE"
    assert stage.ensure() == []
    stage.ensure(cidrs=["203.0.113.0/24"], **{"internal": True})
    assert stage.server["State"] == "OFFLINE"
    with changing() as changes:
        server.start(stage.context, stage.server, changes)
        server.start(stage.context, stage.server, changes)
    assert stage.server["State"] == "ONLINE"
    assert len(changes.sentences) == 2


def test_a_server_that_does_not_start_is_told_and_tried_again(stage: Stage) -> None:
    stage.fault(CreateServer=["START_FAILED"], StartServer=["START_FAILED"])
    with pytest.raises(Failed, match=r"server s-\w+ is START_FAILED; see the AWS console for the reason"):
        stage.ensure()
    stage.ensure()
    assert as_deployed(stage)["state"] == "ONLINE"


def test_waits_where_aws_is_busy_and_where_it_limits_the_rate(stage: Stage) -> None:
    stage.fault(
        UpdateServer=["ConflictException", "ConflictException", "ThrottlingException"],
        DescribeServer=["ThrottlingException"] * 3,
        ListHostKeys=["InternalServiceError"],
    )
    stage.ensure()
    assert as_deployed(stage)["addresses"] == [2, 2]


def test_a_server_is_never_asked_for_twice(stage: Stage) -> None:
    stage.fault(CreateServer=["InternalServiceError"])
    with pytest.raises(Failed, match=r"transfer CreateServer \(InternalServiceError\).*Changes made before that: \d+"):
        stage.ensure()
    stage.ensure()
    assert as_deployed(stage)["servers"] == 1
    body = {"Domain": "EFS", "Tags": [{"Key": key, "Value": value} for key, value in stage.context.tags.items()]}
    second = stage.context.transfer.create_server(**body)["ServerId"]
    with pytest.raises(Refused, match=r"the servers s-\w+ and s-\w+ are both tagged as the server of workspace"):
        stage.ensure()
    stage.context.transfer.delete_server(ServerId=second)


def test_refuses_a_file_system_policy_that_shuts_it_out(stage: Stage) -> None:
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "*",
        "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    stage.client("efs").put_file_system_policy(FileSystemId=stage.files.name, Policy=policy)
    with calls(stage) as names, pytest.raises(Refused, match=r"blocks Transfer Family; .*omero-aws deploy data"):
        stage.ensure()
    assert [name for name in names if not name.startswith(READ)] == []
    assert stage.client("efs").describe_file_system_policy(FileSystemId=stage.files.name)["Policy"] == policy


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.nightly) for part in range(1, 8))])
def test_goes_on_after_a_kill_at_every_call(stage: Stage, part: int) -> None:
    """In eight parts, so that they can run side by side."""
    with calls(stage) as names:
        stage.ensure()
    undisturbed, total = as_deployed(stage), len(names)
    stage.clear()
    assert total > 40
    for number in range(1 + part, total + 1, 8):
        fresh = make_stage(stage.aws)
        with calls(fresh, kill_after=number) as names, suppress(Killed):
            fresh.ensure()
        if len(names) < number:
            # How often it has to look while it waits is not the same every time.
            assert number > 40
            break
        fresh.ensure()
        assert as_deployed(fresh) == undisturbed, f"killed after call {number}, {names[-1]}"
        fresh.clear()


def test_leaves_other_servers_alone(stage: Stage) -> None:
    other = make_stage(stage.aws)
    other.ensure()
    before = as_deployed(other)
    stage.ensure()
    stage.clear()
    assert as_deployed(other) == before
    other.clear()
    assert context.find_server(other.context) is None
