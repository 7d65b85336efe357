"""The worker's parts speak to the local AWS's DynamoDB, from this process."""

from __future__ import annotations

from uuid import uuid4

import pytest

from containers.importer.ledger import Ledger
from containers.importer.table import Table
from containers.supervisor.signing import Aws
from local_aws.server import LocalAws
from local_aws.testing.ecs import Client
from local_aws.testing.fixtures import aws, client, files_root, stand_ins
from scripts.measure.bench_imports import make_tables

__all__ = ["aws", "client", "files_root", "stand_ins"]


@pytest.fixture
def connection(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """The worker's own client."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", raising=False)
    return Aws(aws.region)


@pytest.fixture
def tables(connection: Aws, client: Client) -> tuple[Table, Table]:
    """The ledger's and the requests'."""
    name = f"ledger-{uuid4().hex[:8]}"
    make_tables(client("dynamodb"), name, f"{name}-requests")
    return Table(connection, name), Table(connection, f"{name}-requests")


@pytest.fixture
def ledger(tables: tuple[Table, Table]) -> Ledger:
    return Ledger(*tables)
