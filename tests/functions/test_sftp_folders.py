"""The function that makes senders' folders, run by the local AWS with the drop area mounted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions import FOLDER
from local_aws import files
from local_aws.files import Owner
from local_aws.testing.ecs import Client, Network
from local_aws.testing.functions import invoke, make
from local_aws.testing.groups import file_system

ALL = ("ClientMount", "ClientWrite", "ClientRootAccess")


@pytest.fixture
def base(files_root: Path, monkeypatch: pytest.MonkeyPatch, client: Client, network: Network) -> Path:
    """The root directory of a new file system, whose owners this process sees too."""
    monkeypatch.setenv("LOCAL_AWS_FILES", str(files_root))
    return files.folder(file_system(client, network, network.group))


def function(client: Client, network: Network, base: Path, *actions: str) -> str:
    point = client("efs").create_access_point(
        FileSystemId=base.name,
        PosixUser={"Uid": 0, "Gid": 0},
        RootDirectory={
            "Path": "/OMERO/SFTP",
            "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0755"},
        },
    )["AccessPointArn"]
    name = make(
        client,
        (FOLDER / "sftp_folders.py").read_text(encoding="utf-8"),
        "sftp_folders",
        VpcConfig={"SubnetIds": network.subnets, "SecurityGroupIds": [network.group]},
        FileSystemConfigs=[{"Arn": point, "LocalMountPath": "/mnt/drop"}],
        Environment={"Variables": {"FOLDER": "/mnt/drop"}},
    )
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": [f"elasticfilesystem:{each}" for each in actions],
        "Resource": f"arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/{base.name}",
        "Condition": {"StringEquals": {"elasticfilesystem:AccessPointArn": point}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").put_role_policy(RoleName=name, PolicyName="function", PolicyDocument=document)
    return name


@pytest.fixture
def name(client: Client, network: Network, base: Path) -> str:
    return function(client, network, base, *ALL)


def folder(path: str, uid: int = 1000) -> dict[str, Any]:
    return {"path": path, "uid": uid, "gid": 1000}


def states(answer: Any) -> list[tuple[str, int]]:
    return [(row["state"], row["uid"]) for row in answer["folders"]]


def test_makes_folders_with_their_owners(client: Client, base: Path, name: str) -> None:
    asked = {"folders": [folder("alice"), folder("lab/bob", 2000)]}
    answer, failed = invoke(client, name, {**asked, "look_only": True})
    assert (failed, states(answer)) == (False, [("made", 1000), ("made", 2000)])
    drop = base / "OMERO" / "SFTP"
    assert list(drop.iterdir()) == []
    answer, failed = invoke(client, name, asked)
    assert (failed, states(answer)) == (False, [("made", 1000), ("made", 2000)])
    assert files.owner(drop) == Owner(1000, 1000, 0o755)
    assert files.owner(drop / "alice") == Owner(1000, 1000, 0o2750)
    assert files.owner(drop / "lab") == Owner(1000, 1000, 0o755)
    assert files.owner(drop / "lab" / "bob") == Owner(2000, 1000, 0o2750)
    assert states(invoke(client, name, asked)[0]) == [("there", 1000), ("there", 2000)]


def test_takes_no_folder_away_from_its_owner(client: Client, base: Path, name: str) -> None:
    invoke(client, name, {"folders": [folder("alice", 2000)]})
    assert states(invoke(client, name, {"folders": [folder("alice", 3000)]})[0]) == [("foreign", 2000)]
    alice = base / "OMERO" / "SFTP" / "alice"
    assert files.owner(alice) == Owner(2000, 1000, 0o2750)
    # Unless it is still root's: a call ended half-way.
    files.own(alice, Owner(0, 0, 0o700))
    assert states(invoke(client, name, {"folders": [folder("alice", 3000)]})[0]) == [("made", 3000)]
    assert files.owner(alice) == Owner(3000, 1000, 0o2750)


def test_leaves_the_drop_area_by_no_name_and_no_link(client: Client, base: Path, name: str) -> None:
    invoke(client, name, {"folders": [folder("alice")]})
    drop = base / "OMERO" / "SFTP"
    (drop / "link").symlink_to(base)
    (drop / "file").write_text("")
    answer, failed = invoke(client, name, {"folders": [folder("link/x"), folder("link"), folder("file/x")]})
    assert (failed, [row["state"] for row in answer["folders"]]) == (False, ["blocked"] * 3)
    for path in ("../x", "/x", "", "a//b", ".", "a/..", "-x"):
        answer, failed = invoke(client, name, {"folders": [folder("before"), folder(path)]})
        assert failed
        assert "is no path below the drop area" in answer["errorMessage"]
    answer, failed = invoke(client, name, {"folders": [folder("before", 0)]})
    assert failed
    assert "cannot be root's" in answer["errorMessage"]
    assert sorted(each.name for each in drop.iterdir()) == ["alice", "file", "link"]
    assert sorted(each.name for each in base.iterdir()) == ["OMERO"]


def test_needs_its_rights(client: Client, network: Network, base: Path) -> None:
    answer, failed = invoke(client, function(client, network, base, "ClientWrite"), {"folders": []})
    assert (failed, answer["errorType"]) == (True, "EFSMountFailureException")
    squashed = function(client, network, base, "ClientMount", "ClientWrite")
    answer, failed = invoke(client, squashed, {"folders": [folder("alice")]})
    assert (failed, answer["errorType"]) == (True, "PermissionError")
