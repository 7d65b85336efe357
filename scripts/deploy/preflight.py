"""What has to be true before Terraform runs: settings, credentials, the account and what is in it, the state.

Changes nothing.
"""

from __future__ import annotations

from scripts import aws
from scripts.deploy import account_checks, backend
from scripts.errors import Refused
from settings import SettingsError, Workspace, load


def check(workspace_name: str | None = None) -> Workspace:
    """The workspace (by default `TF_WORKSPACE`, or demo), once `cdktf` can be let loose on it.

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
        _check_account(workspace)
    except aws.ERRORS as error:
        if not aws.refused(error):
            raise
        raise Refused(aws.sentence(error)) from error
    return workspace


def _check_account(workspace: Workspace) -> None:
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
    account_checks.check(state)
