"""Whole deployments with the real Terraform and AWS provider: applied, planned empty, changed, destroyed.

It takes about ten minutes, nearly all of it the provider's own waits (see `local_aws.services`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from local_aws.server import LocalAws
from local_aws.testing.ecs import until
from local_aws.testing.gateway import ask, start_appliance
from local_aws.tests.terraform_run import APPLY, PLAN, PLAN_FINDS_NOTHING, prepare

pytestmark = pytest.mark.terraform


def _client(aws: LocalAws, service: str) -> Any:
    session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=aws.region)
    return session.client(service, endpoint_url=aws.endpoint)


def _check_log(log: Path) -> None:
    text = log.read_text()
    assert "NotImplemented" not in text
    assert "LocalAwsFault" not in text


def test_configuration_is_applied_changed_and_destroyed(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with LocalAws(log=log) as aws:
        succeed = prepare(aws, "terraform", tmp_path)
        succeed("init", "-input=false", "-no-color")
        succeed("apply", *APPLY)
        succeed(*PLAN, expected=PLAN_FINDS_NOTHING)

        ecs = _client(aws, "ecs")
        before = set(ecs.list_tasks(cluster="rehearsal")["taskArns"])
        changed = ("-var=image=example/server:2",)
        succeed("apply", *APPLY, *changed)
        succeed(*PLAN, *changed, expected=PLAN_FINDS_NOTHING)
        assert before.isdisjoint(ecs.list_tasks(cluster="rehearsal")["taskArns"])
        for service in ecs.describe_services(cluster="rehearsal", services=["server", "web"])["services"]:
            assert [each["rolloutState"] for each in service["deployments"]] == ["COMPLETED"]
            assert service["runningCount"] == service["desiredCount"]

        succeed("destroy", *APPLY, *changed)
        assert ecs.describe_clusters(clusters=["rehearsal"])["clusters"][0]["status"] == "INACTIVE"
    _check_log(log)


def test_names_network_balancer_instances_and_cache(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with LocalAws(log=log) as aws:
        succeed = prepare(aws, "terraform_tls", tmp_path)
        clients = {
            name: _client(aws, name) for name in ("route53", "acm", "elbv2", "ecs", "ec2", "autoscaling", "elasticache")
        }
        made = clients["route53"].create_hosted_zone(Name="example.org", CallerReference="test")["HostedZone"]
        zone = f"-var=zone_id={made['Id'].rpartition('/')[2]}"
        succeed("init", "-input=false", "-no-color")
        succeed("apply", *APPLY, zone)
        succeed(*PLAN, zone, expected=PLAN_FINDS_NOTHING)
        _check_running(clients, image="example/server:1")
        (cache,) = clients["elasticache"].describe_replication_groups()["ReplicationGroups"]

        changed = (zone, "-var=changed=true")
        succeed("apply", *APPLY, *changed)
        succeed(*PLAN, *changed, expected=PLAN_FINDS_NOTHING)
        _check_running(clients, image="example/server:2")
        # It got its users in place: a new one would have lost all sessions.
        (same,) = clients["elasticache"].describe_replication_groups()["ReplicationGroups"]
        assert (cache["UserGroupIds"], same["UserGroupIds"]) == ([], ["tls"])
        assert same["ReplicationGroupCreateTime"] == cache["ReplicationGroupCreateTime"]

        succeed("destroy", *APPLY, *changed)
        _check_nothing_left(clients, made["Id"])
    _check_log(log)


def test_ways_in_by_datasync_and_file_gateway(tmp_path: Path) -> None:
    log, files = tmp_path / "server.log", tmp_path / "files"
    with LocalAws(log=log, settings={"LOCAL_AWS_FILES": str(files)}) as aws:
        succeed = prepare(aws, "terraform_ingest", tmp_path)
        succeed("init", "-input=false", "-no-color")
        # As from a pipeline outside of the VPC: the machine first, then its key, then the gateway.
        succeed("apply", *APPLY, "-target=aws_instance.gateway", "-var=activation_key=none")
        machine = start_appliance(aws, InstanceId=succeed("output", "-raw", "instance").strip())
        inputs = [f"-var=activation_key={ask(machine, 'activationRegion=eu-west-1&no_redirect')[2]}"]
        try:
            start_appliance(aws, Address="127.0.0.9", Port=80)
            inputs.append("-var=gateway_ip_address=127.0.0.9")
        except OSError:  # no right to listen on port 80: then without a gateway that is found by its address
            pass
        succeed("apply", *APPLY, *inputs)
        succeed(*PLAN, *inputs, expected=PLAN_FINDS_NOTHING)

        task, system = (succeed("output", "-raw", name).strip() for name in ("task", "file_system"))
        clients = {name: _client(aws, name) for name in ("s3", "datasync", "storagegateway")}
        clients["s3"].put_object(Bucket="ingest-objects-123456789012", Key="in/a b.tif", Body=b"pixels")
        started = clients["datasync"].start_task_execution(TaskArn=task)["TaskExecutionArn"]
        until(lambda: _execution(clients, started)["Status"] in ("SUCCESS", "ERROR"), seconds=30)
        assert _execution(clients, started)["Status"] == "SUCCESS"
        assert (files / system / "import" / "a b.tif").read_bytes() == b"pixels"
        reports = clients["s3"].list_objects_v2(Bucket="ingest-reports-123456789012", Prefix="datasync/")
        assert reports["KeyCount"] == 2  # the summary, and what was transferred

        changed = (*inputs, "-var=changed=true")
        succeed("apply", *APPLY, *changed)
        succeed(*PLAN, *changed, expected=PLAN_FINDS_NOTHING)

        succeed("destroy", *APPLY, *changed)
        assert clients["datasync"].list_tasks()["Tasks"] == []
        assert clients["datasync"].list_locations()["Locations"] == []
        assert clients["storagegateway"].list_file_shares()["FileShareInfoList"] == []
        assert clients["storagegateway"].list_gateways()["Gateways"] == []
    _check_log(log)


def _execution(clients: dict[str, Any], arn: str) -> dict[str, Any]:
    return dict(clients["datasync"].describe_task_execution(TaskExecutionArn=arn))


def _check_running(clients: dict[str, Any], image: str) -> None:
    certificates = clients["acm"].list_certificates(CertificateStatuses=["ISSUED"])["CertificateSummaryList"]
    assert len(certificates) == 2
    ecs, elb = clients["ecs"], clients["elbv2"]
    service = ecs.describe_services(cluster="tls", services=["server"])["services"][0]
    assert service["runningCount"] == 2
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    assert definition["containerDefinitions"][0]["image"] == image
    arns = ecs.list_tasks(cluster="tls", serviceName="server")["taskArns"]
    tasks = ecs.describe_tasks(cluster="tls", tasks=arns)["tasks"]
    # They do not fit on one instance: the second was launched for the second task.
    assert len({task["containerInstanceArn"] for task in tasks}) == 2
    assert {task["capacityProviderName"] for task in tasks} == {"tls"}
    for port in (4063, 4064, 4065, 4066):
        group = elb.describe_target_groups(Names=[f"tls-server-{port}"])["TargetGroups"][0]
        health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        assert [each["TargetHealth"]["State"] for each in health] == ["healthy"] * 2


def _check_nothing_left(clients: dict[str, Any], zone: str) -> None:
    kinds = {record["Type"] for record in _records(clients, zone)}
    assert kinds <= {"NS", "SOA"}
    assert clients["acm"].list_certificates()["CertificateSummaryList"] == []
    assert clients["elbv2"].describe_load_balancers()["LoadBalancers"] == []
    assert clients["elbv2"].describe_target_groups()["TargetGroups"] == []
    assert clients["autoscaling"].describe_auto_scaling_groups()["AutoScalingGroups"] == []
    running = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}]
    assert clients["ec2"].describe_instances(Filters=running)["Reservations"] == []
    assert clients["ec2"].describe_network_interfaces()["NetworkInterfaces"] == []
    cache = clients["elasticache"]
    assert cache.describe_replication_groups()["ReplicationGroups"] == []
    assert cache.describe_cache_clusters()["CacheClusters"] == []
    assert (cache.describe_users()["Users"], cache.describe_user_groups()["UserGroups"]) == ([], [])


def _records(clients: dict[str, Any], zone: str) -> list[dict[str, Any]]:
    found = clients["route53"].list_resource_record_sets(HostedZoneId=zone)
    return list(found["ResourceRecordSets"])
