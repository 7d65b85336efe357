"""What holds data in a workspace's states, and whether new stacks still have it.

`prevent_destroy` ends with its block: Terraform destroys, without an error, a resource that is no longer in the
configuration. So the states are compared with what was synthesised. Changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from contract import sections
from scripts import console
from scripts.deploy import backend
from scripts.deploy.backend import StateBackend
from scripts.errors import Refused
from settings import Workspace

Json = dict[str, Any]

# Types that hold data, and whether a resource of a state is one that is to stay: by what the stacks set with `retain`.
HOLDS_DATA: Mapping[str, Callable[[Json], bool]] = {
    "aws_backup_vault": lambda it: not it.get("force_destroy"),
    "aws_db_instance": lambda it: bool(it.get("deletion_protection")),
    "aws_dynamodb_table": lambda it: bool(it.get("deletion_protection_enabled")),
    "aws_ecr_repository": lambda it: not it.get("force_delete"),
    "aws_efs_file_system": lambda _: True,
    "aws_kms_key": lambda it: it.get("deletion_window_in_days") == 30,
    "aws_s3_bucket": lambda it: not it.get("force_destroy"),
    "aws_secretsmanager_secret": lambda it: bool(it.get("recovery_window_in_days")),
}


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A managed resource of a state: its Terraform `address`, its `attributes`, and the addresses it depends on."""

    address: str
    attributes: Json
    dependencies: frozenset[str]

    @property
    def type(self) -> str:
        """Its Terraform type."""
        return self.address.partition(".")[0]

    @property
    def name(self) -> str:
        """What AWS knows it by."""
        known = (self.attributes.get(key) for key in ("bucket", "identifier", "name", "arn", "id"))
        return next((str(each) for each in known if each), self.address)

    @property
    def holds_data(self) -> bool:
        """Whether it holds data that is to stay."""
        kept = HOLDS_DATA.get(self.type)
        return kept is not None and kept(self.attributes)


def check(state: StateBackend, stacks: Path, patterns: Sequence[str] = ("*",)) -> None:
    """Refuse what would destroy data by leaving its resource out; name the stacks that are left over.

    `stacks` has a folder with `cdk.tf.json` for each stack that was synthesised; those that Terraform is to run in fit
    one of the `patterns`.

    Raises:
        Refused: a resource that holds data is in a state and not in its stack.
    """
    states = backend.states(state)
    found = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in stacks.glob("*/cdk.tf.json")}
    name = state.workspace.name
    for stack in sorted(states.keys() - set(sections.stacks(state.workspace))):
        _name_left_over(stack, states[stack], state.workspace)
    if not state.workspace.retain:
        return
    chosen = [stack for stack in sorted(found) if any(fnmatchcase(stack, each) for each in patterns)]
    refused = [said for stack in chosen for said in _lost(stack, states.get(stack, {}), found[stack], name)]
    if refused:
        raise Refused("\n".join(refused))


def _name_left_over(stack: str, state: Json, workspace: Workspace) -> None:
    """A section that was taken out of the file leaves its stacks."""
    gone = f"but the settings of workspace {workspace.name} no longer have its section"
    if workspace.retain and any(each.holds_data for each in resources(state)):
        console.say(f"the stack {stack} keeps its data, and is billed for it, {gone}.")
    else:
        console.say(
            f"the stack {stack} is deployed, runs and is billed, {gone}; once nothing uses it, run "
            f"`omero-aws destroy {stack} -w {workspace.name}`."
        )


def _lost(stack: str, state: Json, config: Json, workspace: str) -> Iterator[str]:
    """A sentence for each resource that holds data and is in the state alone."""
    there = list(resources(state))
    left = [each for each in there if not _has(config, each.address)]
    for each in left:
        if each.holds_data:
            forget = [f"{stack}.{one.address}" for one in (each, *_parts(each, left))]
            yield (
                f"the settings of workspace {workspace} no longer have {each.address} of the stack {stack} "
                f"({each.name}), which holds data that retain: true keeps: put the setting back that it came with, "
                f"or let it go from Terraform and keep it in AWS with `forget: [{', '.join(forget)}]` in the "
                "workspace's file."
            )


def _parts(whole: Resource, left: list[Resource]) -> Iterator[Resource]:
    """What is left out too and protects it: a bucket without its public access block is no longer kept as it was."""
    return (
        each
        for each in left
        if whole.address in each.dependencies and each.type.startswith((f"{whole.type}_", "aws_kms_alias"))
    )


def resources(state: Json) -> Iterator[Resource]:
    """The managed resources of a state file (its format version 4)."""
    for row in state.get("resources", []):
        if row.get("mode") != "managed" or "module" in row:
            continue
        instances = row.get("instances") or [{}]
        yield Resource(
            address=f"{row['type']}.{row['name']}",
            attributes=instances[0].get("attributes") or {},
            dependencies=frozenset(each for one in instances for each in one.get("dependencies", ())),
        )


def _has(config: Json, address: str) -> bool:
    """Whether the stack has the resource, knows it by an earlier address, or lets it go without destroying it."""
    type_, _, name = address.partition(".")
    moved = {each["from"] for each in _blocks(config, "moved")}
    let_go = {each["from"] for each in _blocks(config, "removed") if _keeps(each)}
    return name in config.get("resource", {}).get(type_, {}) or address in moved | let_go


def _keeps(removed: Json) -> bool:
    lifecycle = removed.get("lifecycle", {})
    (only,) = lifecycle if isinstance(lifecycle, list) else [lifecycle]
    return only.get("destroy") is False


def _blocks(config: Json, kind: str) -> list[Json]:
    found = config.get(kind, [])
    return found if isinstance(found, list) else [found]
