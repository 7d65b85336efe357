"""Stacks of sections that were taken out of a workspace's file: they run and are billed until somebody destroys them.

cdktf destroys only what it synthesises. Terraform destroys what a state has and its configuration lacks, so that a
configuration with nothing but the provider and the state is enough.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from contract import names, sections
from scripts import console
from scripts.deploy import backend, kept, toolchain
from scripts.deploy.backend import StateBackend
from scripts.deploy.runner import Tools
from scripts.errors import Failed, Refused
from settings import Workspace

Json = dict[str, Any]


def matching(state: StateBackend, patterns: Sequence[str]) -> list[str]:
    """The stacks left over in the workspace's states whose names fit one of the `patterns`."""
    found = sorted(backend.deployed_stacks(state) - set(sections.stacks(state.workspace)))
    return [name for name in found if any(fnmatchcase(name, each) for each in patterns)]


def check(state: StateBackend, stacks: Sequence[str]) -> None:
    """Refuse to destroy data that `retain: true` keeps.

    Raises:
        Refused: a resource of one of the stacks holds data.
    """
    if not state.workspace.retain:
        return
    states = backend.states(state)
    for name in stacks:
        for resource in kept.resources(states[name]):
            if resource.holds_data:
                raise Refused(
                    f"the stack {name} has {resource.name}, which holds data that retain: true keeps; to delete it, "
                    "set retain: false, put the stack's section back, deploy, and destroy the stack. Nothing was "
                    "destroyed."
                )


def destroy(tools: Tools, state: StateBackend, stack: str, *, to_stderr: bool) -> None:
    """Destroy a stack by its state alone.

    Raises:
        Failed: Terraform did; its reason is on the terminal.
    """
    console.say(f"stack {stack}: no longer in the settings of workspace {state.workspace.name}")
    with tempfile.TemporaryDirectory(prefix="omero-aws-") as folder:
        path = Path(folder)
        (path / "main.tf.json").write_text(json.dumps(configuration(state.workspace, stack)), encoding="utf-8")
        for words in (["init", "-input=false"], ["destroy", "-auto-approve"]):
            if code := tools.run(["terraform", *words], folder=path, to_stderr=to_stderr):
                raise Failed(
                    f"terraform {words[0]} of the stack {stack} ended with exit code {code}; the reason is above."
                )


def configuration(workspace: Workspace, stack: str) -> Json:
    """A stack without resources, as `stacks.base.WorkspaceStack` begins."""
    return {
        "terraform": {
            "backend": {
                "s3": {
                    "bucket": names.state_bucket(workspace),
                    "key": names.state_key(stack),
                    "region": workspace.state_region,
                    "dynamodb_table": names.state_table(workspace),
                    "workspace_key_prefix": names.STATE_KEY_PREFIX,
                    "encrypt": True,
                }
            },
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": toolchain.PROVIDER_VERSION}},
        },
        "provider": {"aws": {"region": workspace.region, "allowed_account_ids": [workspace.account_id]}},
    }
