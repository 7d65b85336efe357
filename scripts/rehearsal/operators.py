"""Operators of a rehearsal: roles with the rights that the documents list, and commands run with their credentials."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from contract import names, operators
from contract.outputs import Data
from contract.policy import document
from scripts.errors import Failed
from scripts.ingest.deployment import published_parameters
from scripts.rehearsal.run import Rehearsal

POLICY = "documented"


@contextmanager
def acting(run: Rehearsal, name: str, *rights: operators.Rights) -> Iterator[dict[str, str]]:
    """The environment of an operator who has these rights and no other. The role is deleted at the end."""
    iam, role = run.session().client("iam"), f"{names.base(run.workspace.name)}-operator-{name}"
    trust = {"Effect": "Allow", "Principal": {"AWS": run.workspace.account_id}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    place = _place(run)
    statements = [statement for each in rights for statement in each(place)]
    iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=document(*statements))
    given = run.session().client("sts").assume_role(RoleArn=arn, RoleSessionName="rehearsal")["Credentials"]
    try:
        yield {
            **run.environ,
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName=POLICY)
        iam.delete_role(RoleName=role)


def session_of(run: Rehearsal, environ: dict[str, str]) -> boto3.Session:
    """boto3 with an operator's credentials."""
    return boto3.Session(
        environ["AWS_ACCESS_KEY_ID"],
        environ["AWS_SECRET_ACCESS_KEY"],
        environ["AWS_SESSION_TOKEN"],
        region_name=run.workspace.region,
    )


def _place(run: Rehearsal) -> operators.Place:
    published = published_parameters(run.session(), run.workspace)
    return operators.Place(
        workspace=run.workspace,
        data_key_arn=published[Data.key_arn.path],
        omero_key_arn=_session_key(run.session().client("ecs"), names.cluster(run.workspace.name)),
        file_system_id=published[Data.file_system_id.path],
    )


def _session_key(ecs: Any, cluster: str) -> str:
    """The key of the cluster's sessions, as its configuration names it."""
    found = ecs.describe_clusters(clusters=[cluster], include=["CONFIGURATIONS"])["clusters"]
    return str(found[0]["configuration"]["executeCommandConfiguration"]["kmsKeyId"])


def open_session(run: Rehearsal) -> None:
    """Open a session of ECS Exec in the server's container as an operator may, encrypt it, and end it.

    Raises:
        Failed: the server has no task.
    """
    with acting(run, "exec", operators.deployment, operators.execute) as environ:
        session, cluster = session_of(run, environ), names.cluster(run.workspace.name)
        ecs: Any = session.client("ecs")
        service = names.physical("service", run.workspace.name, "server")
        tasks = ecs.list_tasks(cluster=cluster, serviceName=service)["taskArns"]
        if not tasks:
            raise Failed(f"the service {service} has no task, so that no session can be opened.")
        opened = ecs.execute_command(
            cluster=cluster, task=tasks[0], container="server", command="true", interactive=True
        )["session"]
        # What the session-manager-plugin does with its caller's credentials (its KMS encryption handshake).
        id_ = opened["sessionId"]
        session.client("kms").generate_data_key(
            KeyId=_session_key(run.session().client("ecs"), cluster),
            NumberOfBytes=64,
            EncryptionContext={"aws:ssm:SessionId": id_, "aws:ssm:TargetId": "rehearsal"},
        )
        session.client("ssm").terminate_session(SessionId=id_)
