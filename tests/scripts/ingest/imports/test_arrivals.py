"""What arrives in a watched folder is imported without anybody asking: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from containers.importer.entries import IMPORTED
from local_aws.testing.ecs import until
from tests.scripts.ingest.imports.imports_help import Importing

BY_SENDER = {"user": "{folder}", "target": "Dataset:name:{folder}"}


def _shows(importing: Importing) -> dict[str, dict[str, Any]]:
    """What people see of each folder."""
    return {os.fsdecode(path): dict(said) for path, said in importing.at.requests.arrivals().items()}


def _requests(importing: Importing, do: str) -> list[Any]:
    """Those of the worker itself, open or ended."""
    client, table = importing.programs.client("dynamodb"), f"{importing.bucket}-requests"
    rows = client.scan(TableName=table)["Items"]
    return [json.loads(row["work"]["S"]) for row in rows if row.get("do", {}).get("S") == do]


@pytest.fixture
def senders(importing: Importing) -> Importing:
    """Alice and Bob are users of OMERO's, and deliver into folders of their own."""
    for name in ("alice", "bob"):
        importing.server.add_user(name, password="secret")
    return importing


def _until_imported(importing: Importing, *paths: bytes, seconds: float = 40) -> None:
    """Wait until exactly these are in OMERO, each once."""
    try:
        until(lambda: importing.states() == dict.fromkeys(paths, IMPORTED), seconds=seconds)
    except AssertionError as late:
        told = f"{importing.states()}\n{_shows(importing)}\n{importing.reasons()}\n{importing.log()[-4000:]}"
        raise AssertionError(f"not imported: {told}") from late
    assert importing.once() == {path.decode().lstrip("/"): 1 for path in paths}


def test_what_arrives_is_imported_for_its_sender_once_and_nobody_asks(senders: Importing) -> None:
    paths = [senders.image(f"alice/{number}.tif") for number in range(3)]
    senders.watch(BY_SENDER)
    _until_imported(senders, *paths)
    paths.append(senders.image("bob/sub/1.tif"))
    _until_imported(senders, *paths)
    images = {image.client_path: (image.owner, image.dataset) for image in senders.server.images()}
    assert images == {path.decode()[1:]: (path.decode().split("/")[3],) * 2 for path in paths}
    until(lambda: not senders.at.requests.open(), seconds=20)
    asked = _requests(senders, "scan")
    paths.append(senders.image("bob/sub/2.tif"))
    _until_imported(senders, *paths)
    until(lambda: not senders.at.requests.open(), seconds=20)
    scans = _requests(senders, "scan")
    assert [each for each in scans if each["path"] == b"/OMERO/in/alice".hex()] == [
        each for each in asked if each["path"] == b"/OMERO/in/alice".hex()
    ], "nothing has come for her"
    assert len(senders.server.jvm_starts()) <= 5, "what has not changed is not imported"
