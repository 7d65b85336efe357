"""Senders' folders in the drop area, made by the function of the stack `sftp` (functions/sftp_folders.py)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contract import omero
from contract.sections.sftp import SftpOutputs
from scripts.errors import Failed, Refused
from scripts.ingest.sftp.context import SftpContext

# A call answers well within the 60 s that a client waits, also where it has to mount the file system first.
AT_A_TIME = 250


@dataclass(frozen=True)
class Folder:
    """`path` is below the drop area."""

    path: str
    uid: int


def look(context: SftpContext, folders: Sequence[Folder]) -> list[dict[str, Any]]:
    """What is there in the place of each, as the function says; nothing is made."""
    return _call(context, folders, look_only=True)


def missing(context: SftpContext, folders: Sequence[Folder], found: Sequence[dict[str, Any]]) -> list[Folder]:
    """Those that are not there yet, of what `look` has found.

    Raises:
        Refused: one is somebody else's, or no folder can be where it should be.
    """
    faults, absent = [], []
    for folder, row in zip(folders, found, strict=True):
        where = f"{context.settings.folder}/{folder.path}"
        if row["state"] == "foreign" and row["uid"] != folder.uid:
            faults.append(
                f"the folder {where} belongs to uid {row['uid']}, not {folder.uid}; give --uid {row['uid']}, or "
                "another --home."
            )
        elif row["state"] == "blocked":
            faults.append(f"{where} is a file or a symbolic link, not a folder; give another --home.")
        elif row["state"] == "made":
            absent.append(folder)
    if faults:
        raise Refused("\n".join(faults))
    return absent


def make(context: SftpContext, folders: Sequence[Folder]) -> None:
    """Make them, each with its owner.

    Raises:
        Failed: one could not be made.
    """
    for folder, row in zip(folders, _call(context, folders, look_only=False), strict=True):
        if row["state"] not in ("made", "there"):
            raise Failed(f"the folder {context.settings.folder}/{folder.path} could not be created; run this again.")


def _call(context: SftpContext, folders: Sequence[Folder], *, look_only: bool) -> list[dict[str, Any]]:
    name = context.deployment.parameter(SftpOutputs.folders_function_name)
    client, answers = context.deployment.client("lambda", patient=True), []
    for begin in range(0, len(folders), AT_A_TIME):
        asked = [
            {"path": folder.path, "uid": folder.uid, "gid": omero.GID} for folder in folders[begin : begin + AT_A_TIME]
        ]
        answer = client.invoke(
            FunctionName=name, Payload=json.dumps({"folders": asked, "look_only": look_only}).encode()
        )
        said = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise Failed(
                f"the function {name} could not create the folders: {said.get('errorMessage', 'no message')}; its "
                f"log group {context.log_group_name}-folders has the details."
            )
        answers += said["folders"]
    return answers
