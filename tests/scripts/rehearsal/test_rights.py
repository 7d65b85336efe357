"""A rehearsal fails where an operator lacks a right, and lists the rights that nobody used."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from contract import names
from contract import operators as documented
from contract.outputs import Data
from contract.policy import Statement
from local_aws.server import LocalAws
from scripts.errors import Failed
from scripts.measure.bench_imports import make_tables
from scripts.rehearsal import imports, operators, rights
from settings import Workspace, load


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return load("demo")


@pytest.fixture(scope="module")
def aws(workspace: Workspace) -> Iterator[LocalAws]:
    """A workspace of which only the two tables of imports, their key and the cluster are there."""
    with LocalAws(region=workspace.region, settings={"MOTO_ACCOUNT_ID": workspace.account_id}) as running:
        session = boto3.Session("testing", "testing", region_name=workspace.region)

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=running.endpoint)  # type: ignore[call-overload]

        key = client("kms").create_key()["KeyMetadata"]["Arn"]
        configuration = {"executeCommandConfiguration": {"kmsKeyId": key, "logging": "NONE"}}
        client("ecs").create_cluster(clusterName=names.cluster(workspace.name), configuration=configuration)
        ledger, requests = (names.physical("table", workspace.name, role) for role in ("imports", "import-requests"))
        encrypted = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        make_tables(client("dynamodb"), ledger, requests, SSESpecification=encrypted)
        values = {
            Data.key_arn: key,
            Data.file_system_id: "fs-0123456789abcdef0",
            Data.ledger_table_name: ledger,
            Data.requests_table_name: requests,
        }
        for output, value in values.items():
            name = f"{names.parameter_path(workspace.name)}/{output.path}"
            client("ssm").put_parameter(Name=name, Value=value, Type="String")
        yield running


@pytest.fixture
def run(aws: LocalAws, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What `acting` needs of a rehearsal."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    environ = {**os.environ, **aws.environ()}
    session = boto3.Session("testing", "testing", region_name=workspace.region)
    return SimpleNamespace(workspace=workspace, environ=environ, session=lambda: session)


def _without(what: documented.Rights, action: str) -> documented.Rights:
    """The rights but for one action."""

    def fewer(place: documented.Place) -> tuple[Statement, ...]:
        found = []
        for statement in what(place):
            kept = tuple(each for each in statement.actions if each != action)
            found += [dataclasses.replace(statement, actions=kept)] if kept else []
        return tuple(found)

    return fewer


def test_a_command_works_with_the_documented_rights(run: Any, tmp_path: Path) -> None:
    with operators.acting(run, "imports", documented.deployment, documented.imports) as environ:
        assert json.loads(imports.imports(environ, tmp_path, "report")) == []
    roles = [each["RoleName"] for each in run.session().client("iam").list_roles()["Roles"]]
    assert [name for name in roles if "operator" in name] == []


@pytest.mark.parametrize("action", ["ssm:GetParametersByPath", "dynamodb:Query", "kms:Decrypt"])
def test_fails_where_a_right_is_missing(run: Any, tmp_path: Path, action: str) -> None:
    fewer = [_without(rights, action) for rights in (documented.deployment, documented.imports)]
    refused = pytest.raises(Failed, match=f"not authorized to perform: {action} on")
    with operators.acting(run, "imports", *fewer) as environ, refused:
        imports.imports(environ, tmp_path, "report")
    with pytest.raises(Failed, match=f"rights are missing: .*{action}"):
        rights.check(rights.take(run.environ))


def test_a_session_cannot_be_encrypted_without_the_key(run: Any) -> None:
    key = operators._place(run).omero_key_arn
    with operators.acting(run, "exec", documented.execute) as environ:
        operators.session_of(run, environ).client("kms").generate_data_key(KeyId=key, NumberOfBytes=64)
    with operators.acting(run, "exec", _without(documented.execute, "kms:GenerateDataKey")) as environ:
        kms = operators.session_of(run, environ).client("kms")
        with pytest.raises(ClientError, match="kms:GenerateDataKey"):
            kms.generate_data_key(KeyId=key, NumberOfBytes=64)


def test_lists_what_no_call_used() -> None:
    def told(used: list[str], unused: list[str]) -> dict[str, Any]:
        return {
            "used": [{"action": each} for each in used],
            "unused": [{"action": each} for each in unused],
            "refused": [],
        }

    usage = cast(
        "rights.Usage",
        {
            "arn:aws:iam::111122223333:role/server": told(["kms:Decrypt"], ["s3:GetObject", "kms:Decrypt"]),
            "arn:aws:iam::111122223333:role/web": told(["kms:Decrypt"], []),
        },
    )
    rights.check(usage)
    assert rights.unused(usage) == {"server": ["s3:GetObject"]}
