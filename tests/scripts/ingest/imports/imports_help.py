"""A workspace to import in: a ledger, an importer's task definition, and the stand-in OMERO."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from containers import BOOTSTRAP, package
from containers.importer import entries
from contract.outputs import Data, Network, Omero
from local_aws.testing.programs import Programs
from scripts.ingest.deployment import DeployedWorkspace
from scripts.ingest.imports.context import ImportContext
from scripts.ingest.imports.ecs_task import TaskTransport
from scripts.ingest.imports.importing import ImportOptions, Run
from scripts.ingest.imports.ledger import Ledger
from scripts.ingest.imports.single_job import run_job
from scripts.measure.bench_imports import make_ledger
from scripts.rehearsal.stand_ins.omero.state import Server
from settings import Workspace
from tests.conftest import workspace

# Leases and waits that keep tests quick, and longer than what the stand-ins take.
QUICK: dict[str, Any] = {
    "lease_seconds": 3,
    "settle_seconds": 1.5,
    "poll_seconds": 0.2,
    "index_seconds": 0,
    "parallel": 4,
}


@dataclass
class Importing:
    """`folder` is what the containers see as /OMERO/in; `server` the stand-in OMERO."""

    programs: Programs
    deployment: DeployedWorkspace
    ledger: Ledger
    server: Server
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.programs.folder / "in"

    @property
    def import_context(self) -> ImportContext:
        return ImportContext(deployment=self.deployment, ledger=self.ledger)

    def transport(self) -> TaskTransport:
        return TaskTransport(self.deployment)

    def image(self, name: str | bytes, content: bytes = b"II*\0") -> bytes:
        """An image below `folder`; its path as containers see it."""
        path = os.path.join(os.fsencode(self.folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return b"/OMERO/in/" + os.fsencode(name)

    def scan(self, path: bytes = b"/OMERO/in", **more: Any) -> dict[str, Any]:
        work = {
            "do": "scan",
            "path": path.hex(),
            "data_dir": "/OMERO",
            "settle_seconds": 0.05,
            "checksum": False,
            "who": "tester",
            "found": entries.now_text(),
            "lease_seconds": 5,
            **more,
        }
        key = f"job#scan#{time.time_ns()}"
        return run_job(self.ledger, self.transport(), work, key=key, event=self._event, poll_seconds=0.1)

    def run(self, kind: str = "task", **more: Any) -> Run:
        transport = self.import_context.transport(kind)
        run = Run(
            self.ledger, transport, ImportOptions(**{**QUICK, **more}), self._event, self.import_context.transport
        )
        run.run()
        return run

    def _event(self, kind: str, facts: Mapping[str, Any]) -> None:
        if kind != "progress":
            self.events.append((kind, facts))

    def states(self) -> dict[bytes, str]:
        return {entry.path: entry.state for entry in self.ledger.entries()}

    def once(self) -> dict[str, int]:
        """How often each client path is in OMERO."""
        return self.server.count_by_client_path()


class LocalDeployedWorkspace(DeployedWorkspace):
    """`DeployedWorkspace`, with clients of the local AWS."""

    def client(self, service: str, *, patient: bool = False, once: bool = False) -> Any:
        return self.session.client(service, endpoint_url=ENDPOINT[0])  # type: ignore[call-overload]


ENDPOINT = [""]


@functools.cache
def boto_session(region: str) -> boto3.Session:
    """One for all: what it has read of AWS's models is read once."""
    return boto3.Session("testing", "testing", region_name=region)


@pytest.fixture
def importing(programs: Programs) -> Importing:
    name = f"imports-{programs.ecs.cluster}"
    make_ledger(programs.client("dynamodb"), name)
    secret = programs.client("secretsmanager").create_secret(Name=name, SecretString="omero")["ARN"]
    programs.client("logs")
    environment = {
        "LEDGER_REGION": programs.aws.region,
        "LEDGER_TABLE": name,
        "OMERO_ADMIN": "root",
        "OMERO_HOST": "server.lab.omero.internal",
        "PROGRAM": package("importer"),
    }
    definition = programs.definition(
        family=f"importer-{programs.ecs.cluster}",
        entryPoint=["/opt/omero/server/venv3/bin/python", "-c", BOOTSTRAP, "importer"],
        environment=[{"name": key, "value": value} for key, value in environment.items()],
        secrets=[{"name": "OMERO_PASSWORD", "valueFrom": secret}],
        linuxParameters={"initProcessEnabled": True},
    )
    settings: Workspace = workspace(region=programs.aws.region)
    ENDPOINT[0] = programs.aws.endpoint
    deployment = LocalDeployedWorkspace(
        workspace=settings,
        session=boto_session(programs.aws.region),
        parameters={
            Data.ledger_table_name.path: name,
            Omero.cluster_name.path: programs.ecs.cluster,
            Omero.importer_task_family.path: definition.rpartition("/")[2].partition(":")[0],
            Omero.importer_log_group_name.path: "/tasks",
            Omero.importer_security_group_id.path: programs.ecs.network.group,
            Network.private_subnet_ids.path: ",".join(programs.ecs.network.subnets),
            Omero.importer_max_tasks.path: "4",
            Omero.importer_parallel_filesets.path: "4",
        },
    )
    (programs.folder / "in").mkdir(exist_ok=True)
    return Importing(programs, deployment, Ledger(deployment.client("dynamodb"), name), Server(programs.folder))
