"""Where a task's volumes are on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moto.efs.models import efs_backends

from local_aws import files

Json = dict[str, Any]


def source(volume: Json, account: str, region: str, own: Path) -> Path:
    """The folder of a volume of a task definition, made if it is missing; `own` is the task's own folder.

    Raises FileNotFoundError for a directory of an EFS file system that is not there, as mounting does.
    """
    name = str(volume["name"])
    if efs := volume.get("efsVolumeConfiguration"):
        return _file_system(efs, account, region)
    if share := ((volume.get("dockerVolumeConfiguration") or {}).get("driverOpts") or {}).get("device"):
        return _made("shares", str(share).rpartition(":")[2])
    if path := (volume.get("host") or {}).get("sourcePath"):
        return _made("host", str(path))
    folder = own / "volumes" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _file_system(efs: Json, account: str, region: str) -> Path:
    if point := (efs.get("authorizationConfig") or {}).get("accessPointId"):
        return files.access_point_folder(efs_backends[account][region].access_points[point])
    wanted = efs.get("rootDirectory") or "/"
    path = files.inside(files.folder(efs["fileSystemId"]), wanted)
    if not path.is_dir():
        raise FileNotFoundError(
            f"b'mount.nfs4: mounting 127.0.0.1:{wanted} failed, reason given by server: No such file or directory'"
        )
    return path


def _made(kind: str, path: str) -> Path:
    """A folder of this machine's that all tasks share: another machine's disk or a gateway's share."""
    folder = files.inside(files.root() / kind, path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
