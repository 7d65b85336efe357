"""Log groups: with `retain: true` they outlive their stack, and so does the one key that encrypts them all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

import main
from contract import names
from settings import Workspace, available, load
from settings.load import EXAMPLES, FOLDER
from tests.conftest import Stacks, of_type, only, read_stacks

KEY = "aws_kms_key.key.arn"
FROM_NETWORK = (
    "${data.terraform_remote_state.cross-stack-reference-input-network.outputs.cross-stack-output-aws_kms_key_key_arn}"
)
CONTEXT = "kms:EncryptionContext:aws:logs:arn"

Synthesised = tuple[Workspace, Stacks]


@pytest.fixture(scope="module", params=[True, False], ids=["retain", "let go"])
def workspaces(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Synthesised]:
    """The demo and every example, each with its stacks."""
    found = []
    for name in (*available(FOLDER), *available(FOLDER / EXAMPLES)):
        workspace, out = load(name).model_copy(update={"retain": request.param}), tmp_path_factory.mktemp(name)
        main.build(workspace, outdir=str(out))
        found.append((workspace, read_stacks(out)))
    return found


def _log_groups(stacks: Stacks) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for stack, config in stacks.items():
        for name, group in of_type(config, "aws_cloudwatch_log_group").items():
            yield stack, name, group


def _logs_statements(key: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of the key's policy that admit CloudWatch Logs."""
    return [each for each in json.loads(key["policy"])["Statement"] if "logs." in json.dumps(each["Principal"])]


def test_every_log_group_has_the_key_of_the_network(workspaces: list[Synthesised]) -> None:
    with_groups = set()
    for _, stacks in workspaces:
        for stack, name, group in _log_groups(stacks):
            expected = f"${{{KEY}}}" if stack == "network" else FROM_NETWORK
            assert group["kms_key_id"] == expected, (stack, name)
            with_groups.add(stack)
    assert with_groups == {"network", "data", "file_gateway", "omero", "upload_host", "sftp", "datasync", "images"}


def test_log_groups_outlive_their_stack_if_the_data_does(workspaces: list[Synthesised]) -> None:
    for workspace, stacks in workspaces:
        for stack, name, group in _log_groups(stacks):
            assert group["skip_destroy"] is workspace.retain, (stack, name)


def test_their_key_outlives_them(workspaces: list[Synthesised]) -> None:
    for workspace, stacks in workspaces:
        key = only(stacks["network"], "aws_kms_key")
        assert key["lifecycle"]["prevent_destroy"] is workspace.retain
        assert key["deletion_window_in_days"] == (30 if workspace.retain else 7)


def test_no_other_key_admits_cloudwatch_logs(workspaces: list[Synthesised]) -> None:
    for _, stacks in workspaces:
        admitting = [
            f"{stack}.{name}"
            for stack, config in stacks.items()
            for name, key in of_type(config, "aws_kms_key").items()
            if _logs_statements(key)
        ]
        assert admitting == ["network.key"]


def test_the_key_admits_each_log_group_by_name(workspaces: list[Synthesised]) -> None:
    """Those of the stacks, and the one that `omero-aws sftp` creates."""
    for workspace, stacks in workspaces:
        (statement,) = _logs_statements(only(stacks["network"], "aws_kms_key"))
        admitted = statement["Condition"]["ArnLike"][CONTEXT]
        found = {group["name"] for _, _, group in _log_groups(stacks)}
        assert len(found) > 4
        for name in (*found, names.physical("log_group", workspace.name, "sftp")):
            partition = names.partition(workspace.region)
            arn = f"arn:{partition}:logs:{workspace.region}:{workspace.account_id}:log-group:{name}"
            assert any(fnmatchcase(arn, each) for each in admitted), arn
        # A workspace whose name only begins like this one has a key of its own.
        other = f":log-group:{names.log_prefix(f'{workspace.name}-2')}/server"
        assert not any(fnmatchcase(f"{arn.rpartition(':log-group:')[0]}{other}", each) for each in admitted)


def test_no_key_is_left_that_encrypts_nothing(workspaces: list[Synthesised]) -> None:
    """Each is named by something of its own stack other than its alias and what the stack publishes."""
    for workspace, stacks in workspaces:
        for stack, config in stacks.items():
            used = json.dumps(
                {
                    type_: blocks
                    for type_, blocks in config["resource"].items()
                    if type_ not in ("aws_kms_alias", "aws_kms_key", "aws_ssm_parameter")
                }
            )
            for name in of_type(config, "aws_kms_key"):
                outside = FROM_NETWORK in json.dumps(stacks["omero"]) if stack == "network" else False
                assert outside or f"aws_kms_key.{name}." in used, (workspace.name, stack, name)


def test_logs_have_a_key_of_ours_where_the_data_has_somebody_elses(examples: dict[str, Path]) -> None:
    """It may well not admit CloudWatch Logs."""
    stacks = read_stacks(examples["existing"])
    assert load("existing").data.key_arn
    assert not of_type(stacks["data"], "aws_kms_key")
    assert of_type(stacks["network"], "aws_kms_key").keys() == {"key"}
    assert {group["kms_key_id"] for _, _, group in _log_groups(stacks)} == {FROM_NETWORK}
