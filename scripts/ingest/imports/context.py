"""What `imports` needs to know of a workspace: its ledger, and how containers are started there."""

from __future__ import annotations

from dataclasses import dataclass

from contract.outputs import Data
from scripts.ingest.deployment import DeployedWorkspace, deployed_workspace
from scripts.ingest.imports.ecs_task import TaskTransport, Transport
from scripts.ingest.imports.ledger import Ledger


@dataclass(frozen=True, kw_only=True)
class ImportContext:
    """A workspace with its ledger, and how containers are started there."""

    deployment: DeployedWorkspace
    ledger: Ledger

    def transport(self, kind: str) -> Transport:
        """The way to a container; `exec` looks first whether it can be gone."""
        if kind == "exec":
            from scripts.ingest.imports.ecs_exec import ExecTransport  # noqa: PLC0415 - it needs what `task` does not

            return ExecTransport(self.deployment)
        return TaskTransport(self.deployment)


def import_context(workspace: str | None) -> ImportContext:
    """The deployed workspace of that name, by default the selected one, with its ledger."""
    deployment = deployed_workspace(workspace)
    client = deployment.client("dynamodb", patient=True)
    return ImportContext(deployment=deployment, ledger=Ledger(client, deployment.parameter(Data.ledger_table_name)))
