"""Calls are authorised by IAM: who may make them, in which words they are refused, and what is told of rights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client
from local_aws.testing.rights import ACCOUNT, as_role, document, grant, make_role, statement, usage

KEY = {"a": {"S": "x"}}


@pytest.fixture(scope="module")
def table(client: Client) -> str:
    name = f"t-{uuid4().hex[:8]}"
    client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def arn(table: str) -> str:
    return f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{table}"


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call()
    found = error.value.response["Error"]
    return found["Code"], found.get("Message", "")


def test_a_role_may_do_what_its_policy_allows_and_nothing_else(aws: LocalAws, client: Client, table: str) -> None:
    role = make_role(client, statement("dynamodb:Get*", on=arn(table)))
    dynamodb = as_role(aws, client, role)("dynamodb")
    dynamodb.get_item(TableName=table, Key=KEY)
    code, message = refused(lambda: dynamodb.put_item(TableName=table, Item=KEY))
    name = role.rpartition("/")[2]
    assert code == "AccessDeniedException"
    assert message == (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/test is not authorized to perform: dynamodb:PutItem on "
        f"resource: {arn(table)} because no identity-based policy allows the dynamodb:PutItem action"
    )
    assert refused(lambda: dynamodb.get_item(TableName=f"{table}-other", Key=KEY))[0] == "AccessDeniedException"


def test_an_explicit_deny_wins(aws: LocalAws, client: Client, table: str) -> None:
    role = make_role(client, statement("dynamodb:*"), statement("dynamodb:PutItem", effect="Deny"))
    dynamodb = as_role(aws, client, role)("dynamodb")
    dynamodb.get_item(TableName=table, Key=KEY)
    _, message = refused(lambda: dynamodb.put_item(TableName=table, Item=KEY))
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_refuses_in_the_words_of_each_protocol(aws: LocalAws, client: Client) -> None:
    made = as_role(aws, client, make_role(client))
    code, message = refused(lambda: made("ec2").describe_vpcs())
    assert code == "UnauthorizedOperation"
    assert message.startswith("You are not authorized to perform this operation. User: arn:aws:sts::")
    assert refused(lambda: made("s3").list_objects_v2(Bucket="b"))[0] == "AccessDenied"
    assert refused(lambda: made("s3").head_object(Bucket="b", Key="k"))[0] == "403"
    assert refused(lambda: made("iam").get_role(RoleName="r"))[0] == "AccessDenied"
    assert refused(lambda: made("sqs").receive_message(QueueUrl=f"http://q/{ACCOUNT}/q"))[0] == "AccessDenied"
    assert refused(lambda: made("lambda").invoke(FunctionName="f"))[0] == "AccessDeniedException"
    assert refused(lambda: made("logs").describe_log_groups())[0] == "AccessDeniedException"
    assert made("sts").get_caller_identity()["Arn"].endswith("/test")  # nobody needs a right for that


def test_sns_uses_the_key_of_a_topic_with_the_publishers_rights(aws: LocalAws, client: Client) -> None:
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    topic = client("sns").create_topic(Name=uuid4().hex, Attributes={"KmsMasterKeyId": key})["TopicArn"]
    least = statement("sns:Publish", on=topic), statement("kms:Decrypt", on=key)
    role = make_role(client, *least)
    sns = as_role(aws, client, role)("sns")
    assert "kms:GenerateDataKey" in refused(lambda: sns.publish(TopicArn=topic, Message="a"))[1]
    grant(client, role, *least, statement("kms:GenerateDataKey", on=key))
    sns.publish(TopicArn=topic, Message="a")
    assert "sns:Publish" in refused(lambda: sns.publish(TopicArn=topic + "2", Message="a"))[1]


def test_refuses_a_session_token_of_another(aws: LocalAws, client: Client, table: str) -> None:
    given = client("sts").assume_role(RoleArn=make_role(client), RoleSessionName="test")["Credentials"]
    session: Any = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], "other", region_name=aws.region)
    dynamodb = session.client("dynamodb", endpoint_url=aws.endpoint)
    assert refused(lambda: dynamodb.get_item(TableName=table, Key=KEY))[0] == "UnrecognizedClientException"


def test_a_user_with_a_groups_policy(aws: LocalAws, client: Client, table: str) -> None:
    iam, name = client("iam"), f"u-{uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.create_group(GroupName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    session: Any = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=aws.region)
    dynamodb = session.client("dynamodb", endpoint_url=aws.endpoint)
    assert f":user/{name} is not" in refused(lambda: dynamodb.get_item(TableName=table, Key=KEY))[1]
    policy = document(statement("dynamodb:GetItem"))
    iam.put_group_policy(GroupName=name, PolicyName="own", PolicyDocument=policy)
    iam.add_user_to_group(GroupName=name, UserName=name)
    dynamodb.get_item(TableName=table, Key=KEY)


def test_what_cannot_be_evaluated_is_refused_with_a_sentence(aws: LocalAws, client: Client, table: str) -> None:
    condition = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    role = make_role(client, statement("dynamodb:*", Condition=condition))
    dynamodb = as_role(aws, client, role)("dynamodb")
    code, message = refused(lambda: dynamodb.get_item(TableName=table, Key=KEY))
    assert code == "NotImplemented"
    assert "the condition IpAddress aws:SourceIp" in message
    grant(client, role, statement("dynamodb:*"))
    code, message = refused(dynamodb.describe_limits)
    assert code == "NotImplemented"
    assert "does not know which right dynamodb:DescribeLimits needs" in message


def test_a_condition_on_the_items_that_a_call_is_about(aws: LocalAws, client: Client, table: str) -> None:
    ours = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["x", "y"]}}
    role = make_role(client, statement("dynamodb:*", on=arn(table), Condition=ours))
    dynamodb = as_role(aws, client, role)("dynamodb")
    dynamodb.put_item(TableName=table, Item=KEY)
    setting: Any = {"UpdateExpression": "SET b = :b", "ExpressionAttributeValues": {":b": {"S": "x"}}}
    dynamodb.update_item(TableName=table, Key=KEY, **setting)
    other = {"a": {"S": "z"}}
    assert refused(lambda: dynamodb.put_item(TableName=table, Item=other))[0] == "AccessDeniedException"
    both: Any = {table: {"Keys": [KEY, other]}}
    assert refused(lambda: dynamodb.batch_get_item(RequestItems=both))[0] == "AccessDeniedException"
    writes: Any = {table: [{"PutRequest": {"Item": KEY}}, {"DeleteRequest": {"Key": other}}]}
    assert refused(lambda: dynamodb.batch_write_item(RequestItems=writes))[0] == "AccessDeniedException"
    writes[table].pop()
    dynamodb.batch_write_item(RequestItems=writes)
    query: Any = {
        "TableName": table,
        "KeyConditionExpression": "a = :a",
        "ExpressionAttributeValues": {":a": {"S": "x"}},
    }
    assert "is not evaluated here" in refused(lambda: dynamodb.query(**query))[1]


def test_a_condition_on_what_is_listed(aws: LocalAws, client: Client) -> None:
    bucket = f"b-{uuid4().hex[:8]}"
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    conditions = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}, "StringLike": {"s3:prefix": "slides/*"}}
    role = make_role(client, statement("s3:ListBucket", on=f"arn:aws:s3:::{bucket}", Condition=conditions))
    s3 = as_role(aws, client, role)("s3")
    s3.list_objects_v2(Bucket=bucket, Prefix="slides/2024")
    assert refused(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="other"))[0] == "AccessDenied"
    assert refused(lambda: s3.list_objects_v2(Bucket=bucket))[0] == "AccessDenied"


def test_a_secret_needs_its_key_by_the_way_of_secrets_manager(aws: LocalAws, client: Client) -> None:
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    secret = client("secretsmanager").create_secret(Name=f"s-{uuid4().hex}", SecretString="x", KmsKeyId=key)["ARN"]
    read = statement("secretsmanager:GetSecretValue", on=secret)
    role = make_role(client, read)
    secrets = as_role(aws, client, role)("secretsmanager")
    code, message = refused(lambda: secrets.get_secret_value(SecretId=secret))
    assert (code, message[:28]) == ("AccessDeniedException", "Access to KMS is not allowed")

    def via(service: str) -> dict[str, Any]:
        condition = {"StringEquals": {"kms:ViaService": f"{service}.eu-west-1.amazonaws.com"}}
        return statement("kms:Decrypt", on=key, Condition=condition)

    grant(client, role, read, via("s3"))
    assert refused(lambda: secrets.get_secret_value(SecretId=secret))[0] == "AccessDeniedException"
    grant(client, role, read, via("secretsmanager"))
    assert secrets.get_secret_value(SecretId=secret)["SecretString"] == "x"


def test_a_key_policy_has_to_leave_it_to_iam(aws: LocalAws, client: Client) -> None:
    role = make_role(client, statement("kms:*"))
    other = f"arn:aws:iam::{ACCOUNT}:role/other"

    def encrypts(principal: str) -> Any:
        policy = '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "%s"}, "Action": "kms:*", "Resource": "*"}]}'
        key = client("kms").create_key(Policy=policy % principal)["KeyMetadata"]["Arn"]
        return as_role(aws, client, role)("kms").encrypt(KeyId=key, Plaintext=b"x")

    encrypts(f"arn:aws:iam::{ACCOUNT}:root")
    _, message = refused(lambda: encrypts(other))
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")
    grant(client, role)
    assert refused(lambda: encrypts(f"arn:aws:iam::{ACCOUNT}:root"))[0] == "AccessDeniedException"
    encrypts(role)


def test_tells_which_rights_nobody_used_and_what_was_refused(aws: LocalAws, client: Client, table: str) -> None:
    role = make_role(client, statement("dynamodb:GetItem", "dynamodb:Query", on=arn(table)))
    dynamodb = as_role(aws, client, role)("dynamodb")
    dynamodb.get_item(TableName=table, Key=KEY)
    refused(lambda: dynamodb.put_item(TableName=table, Item=KEY))
    # It is told after the role is gone, too.
    grant(client, role)
    client("iam").delete_role(RoleName=role.rpartition("/")[2])
    told = usage(aws, role)
    assert told["calls"] == 1
    assert [each["action"] for each in told["used"]] == ["dynamodb:GetItem"]
    assert [(each["action"], each["resources"]) for each in told["unused"]] == [("dynamodb:Query", [arn(table)])]
    assert [each["times"] for each in told["refused"]] == [1]
    assert f"User: {role} is not authorized to perform: dynamodb:PutItem" in told["refused"][0]["message"]
