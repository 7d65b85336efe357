"""Roles with policies, and clients that call with a role's credentials."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import boto3

from local_aws.server import LocalAws
from local_aws.testing.ecs import Client

ACCOUNT = "123456789012"
Json = dict[str, Any]


def statement(*actions: str, on: str | Sequence[str] = "*", effect: str = "Allow", **more: Any) -> Json:
    """A statement; `more` are its other elements, such as Condition."""
    return {"Effect": effect, "Action": list(actions), "Resource": on, **more}


def document(*statements: Json) -> str:
    """A policy's JSON."""
    numbered = [{"Sid": f"Statement{number}", **each} for number, each in enumerate(statements)]
    return json.dumps({"Version": "2012-10-17", "Statement": numbered})


def make_role(client: Client, *statements: Json, service: str = "", name: str = "") -> str:
    """The ARN of a new role with these statements, that a service takes; without one, everybody in the account."""
    principal = {"Service": service} if service else {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    name = name or f"r-{uuid4().hex[:8]}"
    made = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
    grant(client, made["Role"]["Arn"], *statements)
    return str(made["Role"]["Arn"])


def grant(client: Client, role: str, *statements: Json) -> None:
    """Let the role have these statements and no other."""
    iam, name = client("iam"), role.rpartition("/")[2]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    elif "own" in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName="own")


def as_role(aws: LocalAws, client: Client, role: str) -> Client:
    """Makes clients with the role's credentials."""
    given = client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session: Any = boto3.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name=aws.region
    )
    return lambda service: session.client(service, endpoint_url=aws.endpoint)


def usage(aws: LocalAws, role: str) -> Json:
    """What the server tells of a role's rights."""
    with urllib.request.urlopen(f"{aws.endpoint}/_local/iam/usage") as answer:  # noqa: S310
        return dict(json.load(answer)[role])
