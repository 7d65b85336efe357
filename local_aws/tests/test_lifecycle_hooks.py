"""Instances that wait for a lifecycle hook, by the API and with the real Terraform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.services.lifecycle_hooks import result
from local_aws.testing.ecs import until
from local_aws.tests.terraform_run import APPLY, PLAN, PLAN_FINDS_NOTHING, prepare

IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def _client(aws: LocalAws, service: str) -> Any:
    session: Any = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name=aws.region)
    return session.client(service, endpoint_url=aws.endpoint)


@pytest.fixture(scope="module")
def patient() -> Iterator[LocalAws]:
    """Nobody completes an action here by himself."""
    with LocalAws(settings={"LOCAL_AWS_SET_UP_RESULT": "NONE"}) as running:
        yield running


class Group:
    """A group with a hook, and one instance that waits."""

    def __init__(self, aws: LocalAws, timeout: int = 900) -> None:
        self.scaling, ec2 = _client(aws, "autoscaling"), _client(aws, "ec2")
        self.name = f"g-{uuid4().hex[:8]}"
        image = _client(aws, "ssm").get_parameter(Name=IMAGE)["Parameter"]["Value"]
        ec2.create_launch_template(
            LaunchTemplateName=self.name, LaunchTemplateData={"ImageId": image, "InstanceType": "m5.large"}
        )
        self.scaling.create_auto_scaling_group(
            AutoScalingGroupName=self.name,
            LaunchTemplate={"LaunchTemplateName": self.name},
            MinSize=0,
            MaxSize=2,
            AvailabilityZones=["eu-west-1a"],
        )
        self.scaling.put_lifecycle_hook(
            AutoScalingGroupName=self.name,
            LifecycleHookName="set-up",
            LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
            HeartbeatTimeout=timeout,
            DefaultResult="ABANDON",
        )
        self.size(1)

    def size(self, wanted: int) -> None:
        self.scaling.set_desired_capacity(AutoScalingGroupName=self.name, DesiredCapacity=wanted)

    @property
    def instances(self) -> dict[str, str]:
        """Their states, by id."""
        (group,) = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        return {instance["InstanceId"]: instance["LifecycleState"] for instance in group["Instances"]}

    def complete(self, instance: str, said: str) -> None:
        self.scaling.complete_lifecycle_action(
            AutoScalingGroupName=self.name,
            LifecycleHookName="set-up",
            InstanceId=instance,
            LifecycleActionResult=said,
        )

    @property
    def activities(self) -> list[dict[str, Any]]:
        found = self.scaling.describe_scaling_activities(AutoScalingGroupName=self.name)
        return list(found["Activities"])


def test_an_instance_goes_into_service_when_its_set_up_says_so(patient: LocalAws) -> None:
    group = Group(patient)
    ((instance, state),) = group.instances.items()
    assert state == "Pending:Wait"
    group.complete(instance, "CONTINUE")
    assert group.instances == {instance: "InService"}
    assert group.activities == []


def test_an_instance_that_waits_counts(patient: LocalAws) -> None:
    group = Group(patient)
    group.size(1)
    assert len(group.instances) == 1


def test_an_abandoned_instance_is_replaced_and_says_why(patient: LocalAws) -> None:
    group = Group(patient)
    (instance,) = group.instances
    group.complete(instance, "ABANDON")
    ((other, state),) = group.instances.items()
    assert (other != instance, state) == (True, "Pending:Wait")
    (activity,) = group.activities
    assert activity["StatusCode"] == "Cancelled"
    assert instance in activity["Description"]
    assert activity["StatusMessage"].endswith("was abandoned: Lifecycle Action Completed with ABANDON Result")


def test_silence_is_the_default_result(patient: LocalAws) -> None:
    group = Group(patient, timeout=1)
    (instance,) = group.instances
    until(lambda: instance not in group.instances)


def test_refuses_an_action_that_is_over(patient: LocalAws) -> None:
    group = Group(patient)
    (instance,) = group.instances
    group.complete(instance, "CONTINUE")
    with pytest.raises(ClientError, match="No active Lifecycle Action found with instance ID"):
        group.complete(instance, "ABANDON")
    with pytest.raises(ClientError, match="must be CONTINUE or ABANDON"):
        group.complete(instance, "RETRY")


def test_a_hook_has_what_it_was_given_and_goes_with_its_group(patient: LocalAws) -> None:
    group = Group(patient)
    (hook,) = group.scaling.describe_lifecycle_hooks(AutoScalingGroupName=group.name)["LifecycleHooks"]
    assert (hook["HeartbeatTimeout"], hook["DefaultResult"]) == (900, "ABANDON")
    assert "RoleARN" not in hook
    group.scaling.delete_auto_scaling_group(AutoScalingGroupName=group.name, ForceDelete=True)
    assert not group.scaling.describe_lifecycle_hooks(AutoScalingGroupName=group.name)["LifecycleHooks"]


def test_refuses_another_result() -> None:
    with pytest.raises(ValueError, match=r"LOCAL_AWS_SET_UP_RESULT is MAYBE; allowed: CONTINUE, ABANDON or NONE"):
        result("MAYBE")


@pytest.mark.terraform
def test_terraform_waits_for_the_set_up(tmp_path: Path) -> None:
    with LocalAws(log=tmp_path / "server.log") as aws:
        succeed = prepare(aws, "terraform_hooks", tmp_path)
        succeed("init", "-input=false", "-no-color")
        succeed("apply", *APPLY)
        succeed(*PLAN, expected=PLAN_FINDS_NOTHING)
        succeed("destroy", *APPLY)
    assert "LocalAwsFault" not in (tmp_path / "server.log").read_text()


@pytest.mark.terraform
def test_terraform_fails_if_the_set_up_does(tmp_path: Path) -> None:
    with LocalAws(log=tmp_path / "server.log", settings={"LOCAL_AWS_SET_UP_RESULT": "ABANDON"}) as aws:
        succeed = prepare(aws, "terraform_hooks", tmp_path)
        succeed("init", "-input=false", "-no-color")
        succeed("apply", *APPLY, expected=1)
        activities = _client(aws, "autoscaling").describe_scaling_activities(AutoScalingGroupName="hosts")["Activities"]
        assert len(activities) > 1
    assert "LocalAwsFault" not in (tmp_path / "server.log").read_text()
