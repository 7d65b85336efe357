"""Regions and partitions: what botocore knows of them, and what stacks in each say."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
from botocore.loaders import Loader
from pydantic import ValidationError

from contract import names
from modules.account import Account
from modules.log_bucket import DELIVERY_ACCOUNTS
from settings import regions
from tests.conftest import Stacks, workspace

SECTIONS: dict[str, Any] = {
    "topology": None,
    "tls": {"domain_name": "omero.example.org", "hosted_zone_id": "Z1"},
    "access": {"server": {"cidrs": ["192.0.2.0/24"]}},
    "sftp": {"cidrs": ["192.0.2.0/24"]},
    "datasync": {},
    "upload_host": {},
}
ONE_OF_EACH = ("eu-central-1", "cn-north-1", "us-gov-west-1")


def test_regions_are_botocores() -> None:
    session = boto3.Session()
    for partition, ours in regions.REGIONS.items():
        theirs = session.get_available_regions("ec2", partition_name=partition)
        assert sorted(ours) == sorted(theirs), partition
        assert {names.partition(region) for region in ours} == {partition}
    assert set(regions.ALL) >= DELIVERY_ACCOUNTS.keys()


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("eu-west-9", "eu-west-9 is not an AWS region that this program knows; did you mean eu-west-"),
        ("us-iso-east-1", "not an AWS region that this program knows"),
        ("eusc-de-east-1", "not an AWS region that this program knows"),
        ("x", "one looks like eu-west-1"),
    ],
)
def test_refuses_a_region_that_is_none(region: str, said: str) -> None:
    for changes in ({"region": region}, {"state": {"region": region}}):
        with pytest.raises(ValidationError, match=re.escape(said)):
            workspace(**changes)


@pytest.mark.parametrize("region", ONE_OF_EACH)
def test_every_arn_is_of_the_partition(synthesise: Any, region: str) -> None:
    stacks: Stacks = synthesise(region=region, **SECTIONS)
    partition, text = names.partition(region), json.dumps(stacks)
    assert set(re.findall(r"arn:(aws[a-z-]*):", text)) == {partition}
    other = {"eu-central-1", "cn-north-1", "us-gov-west-1"} - {region}
    assert not any(each in text for each in other)


@pytest.mark.parametrize("region", regions.ALL)
def test_logs_is_a_principal_by_the_name_of_the_partition(region: str) -> None:
    """`servicePrincipalNameForPartition` of AWS's provider: in China, `logs` has the suffix of there, most have not."""
    partition = names.partition(region)
    found = Account(id="111122223333", region=region, partition=partition)
    (suffix,) = {
        each["outputs"]["dnsSuffix"]
        for each in Loader().load_data("partitions")["partitions"]
        if each["id"] == partition
    }
    assert found.logs == f"logs.{region}.{suffix}"


def test_keys_in_china_admit_logs_of_china(synthesise: Any) -> None:
    stacks: Stacks = synthesise(region="cn-north-1", **SECTIONS)
    keys = [key for stack in stacks.values() for key in stack["resource"].get("aws_kms_key", {}).values()]
    assert len(keys) > 2
    principals = set(re.findall(r'"(logs\.[^"]*)"', " ".join(key["policy"] for key in keys)))
    assert principals == {"logs.cn-north-1.amazonaws.com.cn"}
