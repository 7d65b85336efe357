"""What holds data is not lost with the setting that it came from; what is left over is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.deploy import backend, kept, preflight, state
from scripts.errors import Refused
from tests.conftest import Stacks, read_stacks, workspace
from tests.scripts.deploy.state_help import NAME, state_backend

Synthesise = Callable[..., Stacks]


def as_state(stack: dict[str, Any]) -> dict[str, Any]:
    """The state of a stack whose every resource was created, as Terraform 1.11 writes it (format version 4)."""
    rows = []
    for type_, found in stack["resource"].items():
        for name, attributes in found.items():
            text = json.dumps(attributes)
            others = [
                f"{other}.{each}"
                for other, more in stack["resource"].items()
                for each in more
                if f"{other}.{each}." in text
            ]
            instance = {"attributes": attributes, "dependencies": others}
            rows.append({"mode": "managed", "type": type_, "name": name, "instances": [instance]})
    return {"version": 4, "terraform_version": "1.11.4", "resources": rows}


@pytest.fixture
def deployed(mocked_aws: object) -> Callable[..., None]:
    """`deployed(stacks)` has the states of these stacks in the bucket of the workspace `demo`."""
    state.ensure(state_backend())

    def put(stacks: Stacks) -> None:
        for name, stack in stacks.items():
            body = json.dumps(as_state(stack)).encode()
            state_backend().s3.put_object(Bucket=NAME, Key=f"omero/demo/{name}.tfstate", Body=body)

    return put


def written(folder: Path, stacks: Stacks) -> Path:
    for name, stack in stacks.items():
        (folder / name).mkdir()
        (folder / name / "cdk.tf.json").write_text(json.dumps(stack))
    return folder


def test_knows_all_that_is_kept(examples: dict[str, Path]) -> None:
    """Whatever has `prevent_destroy` is told, by the attributes that are in a state, from what has not."""
    seen = set()
    for name in ("rw-tls-nlb-s3fg", "ways-in"):
        for stack, config in read_stacks(examples[name]).items():
            for resource in kept.resources(as_state(config)):
                if resource.attributes.get("lifecycle", {}).get("prevent_destroy"):
                    assert resource.holds_data, (stack, resource.address)
                    seen.add(resource.type)
    assert seen == kept.HOLDS_DATA.keys()


def test_lets_the_same_and_more_through(
    deployed: Callable[..., None], synthesise: Synthesise, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = synthesise(data={"backup": None})
    deployed(before)
    kept.check(state_backend(), written(tmp_path, synthesise()))
    assert capsys.readouterr().err == ""


def test_refuses_backups_that_are_turned_off(
    deployed: Callable[..., None], synthesise: Synthesise, tmp_path: Path
) -> None:
    deployed(synthesise())
    stacks = written(tmp_path, synthesise(data={"backup": None}))
    with pytest.raises(Refused) as refused:
        preflight.check_kept(state_backend().workspace, stacks, ["*"])
    said = str(refused.value)
    assert said.count("\n") == 0
    assert "no longer have aws_backup_vault.backup_vault of the stack data (omero-lab-backup), which holds data" in said
    assert "put the setting back that it came with" in said
    assert "`forget: [data.aws_backup_vault.backup_vault" in said
    preflight.check_kept(state_backend().workspace, stacks, ["omero", "frontend"])


def test_lets_go_what_is_forgotten(deployed: Callable[..., None], synthesise: Synthesise, tmp_path: Path) -> None:
    deployed(synthesise())
    forget = ["data.aws_backup_vault.backup_vault"]
    let_go = synthesise(data={"backup": None}, forget=forget)
    assert let_go["data"]["removed"] == [{"from": "aws_backup_vault.backup_vault", "lifecycle": {"destroy": False}}]
    assert "removed" not in let_go["network"]
    kept.check(state_backend(), written(tmp_path, let_go))


def test_refuses_servers_whose_secret_goes(
    deployed: Callable[..., None], synthesise: Synthesise, tmp_path: Path
) -> None:
    deployed(synthesise(topology=None, omero={"read_only": {}}))
    with pytest.raises(Refused, match=r"aws_secretsmanager_secret\.read_only_password"):
        kept.check(state_backend(), written(tmp_path, synthesise()))


def test_forgets_what_protects_a_bucket_with_it(
    deployed: Callable[..., None], synthesise: Synthesise, tmp_path: Path
) -> None:
    own, existing = synthesise(datasync={}), synthesise(datasync={"bucket": "lab-slides"})
    deployed({"datasync_buckets": own["datasync_buckets"]})
    with pytest.raises(Refused) as refused:
        kept.check(state_backend(), written(tmp_path, existing))
    assert "aws_s3_bucket_public_access_block." in str(refused.value)


def test_follows_what_was_renamed(deployed: Callable[..., None], synthesise: Synthesise, tmp_path: Path) -> None:
    deployed(synthesise())
    renamed = json.loads(json.dumps(synthesise(data={"backup": None})))
    renamed["data"]["moved"] = [{"from": "aws_backup_vault.backup_vault", "to": "aws_backup_vault.other"}]
    kept.check(state_backend(), written(tmp_path, renamed))


def test_without_retain_all_may_go(deployed: Callable[..., None], synthesise: Synthesise, tmp_path: Path) -> None:
    deployed(synthesise())
    kept.check(state_backend("retain: false\n"), written(tmp_path, synthesise(data={"backup": None})))


def test_names_a_stack_that_is_left_over(
    deployed: Callable[..., None], synthesise: Synthesise, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed(synthesise(datasync={}))
    kept.check(state_backend(), written(tmp_path, synthesise()))
    said = capsys.readouterr().err
    assert "the stack datasync is deployed, runs and is billed, but the settings of workspace demo no longer" in said
    assert "`omero-aws destroy datasync -w demo`" in " ".join(said.split())
    assert "the stack datasync_buckets keeps its data, and is billed for it" in said
    assert "destroy datasync_buckets" not in said


def test_refuses_a_state_that_is_none(mocked_aws: object) -> None:
    state.ensure(state_backend())
    state_backend().s3.put_object(Bucket=NAME, Key="omero/demo/data.tfstate", Body=b"<html>")
    with pytest.raises(Refused, match=r"the state s3://.*/omero/demo/data\.tfstate is not JSON as Terraform writes it"):
        backend.states(state_backend())


def test_forget_names_a_resource() -> None:
    with pytest.raises(ValueError, match="address of a resource"):
        workspace(forget=["aws_backup_vault.backup"])
