"""What has to be true before Terraform runs: settings, credentials, account, state, surroundings.

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
            not, or has no use (`account_checks.look`).
        aws.ERRORS: AWS did not answer, or denied a question.
    """
    try:
        workspace = load(workspace_name)
    except SettingsError as error:
        raise Refused("\n".join(error.faults)) from None
    try:
        _look(workspace)
    except aws.ERRORS as error:
        if not aws.refused(error):
            raise
        raise Refused(aws.sentence(error)) from error
    return workspace


def _look(workspace: Workspace) -> None:
    place = backend.place(workspace)
    bucket, table = backend.found(place)
    missing = [
        *([] if bucket else [f"state bucket {place.bucket}"]),
        *([] if table else [f"lock table {place.table}"]),
    ]
    if missing:
        raise Refused(
            f"workspace {workspace.name} has no {' and no '.join(missing)} in {place.region}; "
            f"run `omero-aws state ensure -w {workspace.name}` first."
        )
    account_checks.look(place)
