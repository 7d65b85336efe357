"""What `imports` needs to know of a workspace: its ledger, and where requests are written."""

from __future__ import annotations

from dataclasses import dataclass

from contract.outputs import Data
from scripts.ingest.deployment import DeployedWorkspace, deployed_workspace
from scripts.ingest.imports.ledger import Ledger
from scripts.ingest.imports.requests import Requests


@dataclass(frozen=True, kw_only=True)
class ImportContext:
    """A workspace with its two tables."""

    deployment: DeployedWorkspace
    ledger: Ledger
    requests: Requests


def import_context(workspace: str | None) -> ImportContext:
    """The deployed workspace of that name, by default the selected one, with its tables."""
    return context_of(deployed_workspace(workspace))


def context_of(deployment: DeployedWorkspace) -> ImportContext:
    """A deployed workspace with its tables."""
    client = deployment.client("dynamodb", patient=True)
    who = str(deployment.client("sts").get_caller_identity()["Arn"])
    return ImportContext(
        deployment=deployment,
        ledger=Ledger(client, deployment.parameter(Data.ledger_table_name)),
        requests=Requests(client, deployment.parameter(Data.requests_table_name), who),
    )
