"""What has to be true before Terraform runs: settings, credentials, the account and what is in it, the state.

Changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contract import images
from scripts import aws, console
from scripts.deploy import account_checks, backend, kept, script_made
from scripts.errors import Refused
from settings import SettingsError, Workspace, load


def check(workspace_name: str | None = None, *, changes: bool = True) -> Workspace:
    """The workspace (by default `TF_WORKSPACE`, or demo), once `cdktf` can be let loose on it.

    What creates or `changes` nothing is not held up by its surroundings: an output is read, a lock released and a
    stack destroyed with the hosted zone, certificate or key gone. An image without a digest is told, not refused.

    Raises:
        Refused: the settings have faults (one a line); there are no credentials, or another account's; the
            state bucket or the lock table is missing or elsewhere; what the workspace says is in the account is
            not, or has no use (`account_checks.check`).
        aws.ERRORS: AWS did not answer, or denied a question.
    """
    try:
        workspace = load(workspace_name)
    except SettingsError as error:
        raise Refused("\n".join(error.faults)) from None
    try:
        state = _check_state(workspace)
        if changes:
            account_checks.check(state)
            _note_unpinned(workspace)
    except aws.ERRORS as error:
        if not aws.refused(error):
            raise
        raise Refused(aws.sentence(error)) from error
    return workspace


def is_deployed(workspace: Workspace) -> bool:
    """Whether a stack of it has resources."""
    return bool(backend.deployed_stacks(backend.state_backend(workspace)))


def check_kept(workspace: Workspace, stacks: Path, patterns: Sequence[str]) -> None:
    """As `kept.check`, for stacks that were synthesised from `workspace`."""
    kept.check(backend.state_backend(workspace), stacks, patterns)


def check_destroy(workspace: Workspace, patterns: Sequence[str]) -> None:
    """As `script_made.check`, for the stacks that fit one of the `patterns`."""
    script_made.check(backend.state_backend(workspace), patterns)


def _note_unpinned(workspace: Workspace) -> None:
    if found := images.unpinned(workspace):
        listed = ", ".join(f"{key} {image}" for key, image in found.items())
        console.say(
            f"note: {listed}: not pinned by a digest, so that the same tag may be another image at the next start; "
            f"`omero-aws images pin -w {workspace.name}` adds the digests."
        )


def _check_state(workspace: Workspace) -> backend.StateBackend:
    state = backend.state_backend(workspace)
    bucket, table = backend.exist(state)
    missing = [
        *([] if bucket else [f"state bucket {state.bucket}"]),
        *([] if table else [f"lock table {state.table}"]),
    ]
    if missing:
        raise Refused(
            f"workspace {workspace.name} has no {' and no '.join(missing)} in {state.region}; "
            f"run `omero-aws state ensure -w {workspace.name}` first."
        )
    return state
