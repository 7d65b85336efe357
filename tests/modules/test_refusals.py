"""Constructs refuse nonsense, with the value and the rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from cdktf import App, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_availability_zones import DataAwsAvailabilityZones
from cdktf_cdktf_provider_aws.provider import AwsProvider
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket

from modules.account import Account
from modules.addresses import address
from modules.audit import skip
from modules.bucket import BucketProps
from modules.cluster import Cluster
from modules.connections import Endpoint
from modules.container import Beside, Container, Deployment, Health
from modules.function import FunctionProps
from modules.log_group import LogSettings
from modules.omero import ONE_AT_A_TIME, variable
from modules.task import TaskProps
from modules.vpc import VpcProps


def test_refuses_a_deployment_that_can_never_begin() -> None:
    with pytest.raises(ValueError, match="100 % and 100 % can never start"):
        Deployment(count=1, minimum_percent=100, maximum_percent=100)


def test_refuses_limits_that_a_task_does_not_have() -> None:
    container = Container(
        name="x", image="x:1", environment={}, secrets={}, health=Health(command="true"), memory_mib=2000
    )
    with pytest.raises(ValueError, match="containers with 2000 MiB do not fit into the task's 1024 MiB"):
        TaskProps(
            name="x",
            account=Account(id="111122223333", region="eu-central-1"),
            cluster=cast("Cluster", None),
            container=container,
            cpu=256,
            memory_mib=1024,
            vpc_id="x",
            secrets_key_arn="x",
            log_group_name="/x",
            logs=LogSettings(key_arn="x", retention_days=365, retain=True),
        )


@pytest.mark.parametrize("changes", [{"health": Health(command="true")}, {"essential": True}])
def test_refuses_a_container_beside_that_would_end_its_task(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"name": "x", "image": "x:1", "environment": {}, "secrets": {}, "health": None, **changes}
    with pytest.raises(ValueError, match="x must not end the task that it is beside"):
        Beside(container=Container(**values), log_group_name="/x", log_group_arn="x")


def test_one_writer_stops_before_it_starts() -> None:
    assert (ONE_AT_A_TIME.count, ONE_AT_A_TIME.minimum_percent, ONE_AT_A_TIME.maximum_percent) == (1, 0, 100)


@pytest.mark.parametrize("versions", [0, 101])
def test_refuses_a_number_of_versions_that_s3_does_not_keep(versions: int) -> None:
    with pytest.raises(ValueError, match=f"{versions} older versions cannot be kept; S3 allows 1 to 100"):
        BucketProps(name="x", key_arn="x", versions_kept=versions, retain=True)


@pytest.mark.parametrize(
    ("code", "seconds", "said"),
    [
        ("nosuch", 30, "there is no functions/nosuch.py"),
        ("refresh_cache", 901, "timeout_seconds 901 is not offered by Lambda; allowed: 1 to 900"),
    ],
)
def test_refuses_a_function_that_cannot_be(code: str, seconds: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FunctionProps(
            name="x",
            description="x",
            code=code,
            timeout_seconds=seconds,
            log_group_name="/x",
            logs=LogSettings(key_arn="x", retention_days=365, retain=True),
        )


def test_refuses_an_endpoint_that_nobody_could_reach() -> None:
    with pytest.raises(ValueError, match="endpoint to_share has no security group, host or address ranges"):
        Endpoint(id="to_share", port=2049, description="NFS", security_group_id=None)
    with pytest.raises(ValueError, match="endpoint to_file_system has no host"):
        _ = Endpoint(id="to_file_system", port=2049, description="NFS", security_group_id="sg-1").known_host


def test_refuses_subnets_that_are_no_pair() -> None:
    with pytest.raises(ValueError, match="1 public subnets were given; a VPC here has 2"):
        VpcProps(
            name="x",
            account=Account(id="111122223333", region="eu-west-1"),
            cidr="10.0.0.0/16",
            public_subnets=["10.0.0.0/24"],
            private_subnets=["10.0.1.0/24", "10.0.2.0/24"],
            availability_zones=None,
            nat_gateways="single",
        )


def test_refuses_a_skip_without_a_reason() -> None:
    bucket = S3Bucket(TerraformStack(App(), "stack"), "bucket")
    with pytest.raises(ValueError, match="CKV_AWS_1 is skipped without a reason"):
        skip(bucket, CKV_AWS_1=" ")


def test_a_skip_stands_beside_its_resource_or_data_source(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stack = TerraformStack(app, "stack")
    AwsProvider(stack, "aws", region="eu-west-1")
    skip(S3Bucket(stack, "logs"), CKV_AWS_18="it holds logs")
    skip(DataAwsAvailabilityZones(stack, "zones"), CKV_AWS_394="a subnet never moves")
    app.synth()
    synthesised = json.loads((tmp_path / "stacks" / "stack" / "cdk.tf.json").read_text())
    bucket = synthesised["resource"]["aws_s3_bucket"]["logs"]
    zones = synthesised["data"]["aws_availability_zones"]["zones"]
    assert bucket["//"]["checkov_skips"] == {"CKV_AWS_18": "it holds logs"}
    assert zones["//"]["checkov_skips"] == {"CKV_AWS_394": "a subnet never moves"}


@pytest.mark.parametrize(
    ("property_", "name"),
    [
        ("omero.db.pass", "CONFIG_omero_db_pass"),
        ("omero.jvmcfg.system_memory", "CONFIG_omero_jvmcfg_system__memory"),
        ("omero.web.secret_key", "CONFIG_omero_web_secret__key"),
    ],
)
def test_variable_is_what_omeros_start_up_turns_back(property_: str, name: str) -> None:
    assert variable(property_) == name
    # What the image does: __ is _, and _ is a full stop.
    assert name.removeprefix("CONFIG_").replace("__", "\0").replace("_", ".").replace("\0", "_") == property_


def test_address_leaves_out_stack_and_main_resource() -> None:
    assert address("data/file_system/resource") == "file_system"
    assert address("network/vpc/public_first") == "vpc_public_first"
    assert address("data/cross-stack-output-a.b.id") == "cross-stack-output-a_b_id"
