"""The search for secrets finds them wherever they could be, or it proves nothing."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from scripts.rehearsal import leaks

SECRET = "q7TfPz0aLmWx83KdVbNe5RcYhUj1GsQo"
VALUES = {"password": SECRET.encode()}


def _write_plain(folder: Path) -> None:
    (folder / "state.json").write_text(f'{{"password": "{SECRET}"}}')


def _write_archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "again.tfplan", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tfplan", "a" * 1000 + SECRET + "b" * 1000)


def _write_base64(folder: Path) -> None:
    (folder / "log").write_bytes(base64.b64encode(SECRET.encode()))


def _write_deep(folder: Path) -> None:
    (folder / "stacks" / "data" / ".terraform").mkdir(parents=True)
    (folder / "stacks" / "data" / ".terraform" / "terraform.tfstate").write_text(SECRET)


@pytest.mark.parametrize("write", [_write_plain, _write_archive, _write_base64, _write_deep])
def test_finds_a_secret_in_files(tmp_path: Path, write: object) -> None:
    assert callable(write)
    write(tmp_path)
    (found,) = leaks.in_files(tmp_path, VALUES)
    assert found.endswith("(password)")
    assert SECRET not in found


def test_finds_nothing_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(SECRET[:-8])
    assert not list(leaks.in_files(tmp_path, VALUES))


def test_follows_no_link_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text(SECRET)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    assert not list(leaks.in_files(folder, VALUES))


def test_finds_a_secret_in_an_old_version_of_an_object() -> None:
    with mock_aws():
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        s3 = session.client("s3")
        s3.create_bucket(Bucket="state")
        s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="state", Key="omero/lab/data.tfstate", Body=SECRET)
        s3.put_object(Bucket="state", Key="omero/lab/data.tfstate", Body="clean")
        (found,) = leaks.in_bucket(session, "state", VALUES)
        assert found.startswith("s3://state/omero/lab/data.tfstate?versionId=")


def test_reads_every_secret_of_the_account() -> None:
    with mock_aws():
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        manager = session.client("secretsmanager")
        for number in range(3):
            manager.create_secret(Name=f"omero/lab/{number}", SecretString=f"value-{number}")
        assert leaks.secret_values(session) == {
            f"omero/lab/{number}": f"value-{number}".encode() for number in range(3)
        }


def test_finds_a_private_key_that_is_kept_in_json() -> None:
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nfirst\nthe-middle-of-it\nlast\n-----END OPENSSH PRIVATE KEY-----\n"
    with mock_aws():
        session = boto3.Session(region_name="eu-west-1")
        manager = session.client("secretsmanager")
        manager.create_secret(Name="host-keys", SecretString=json.dumps({"ed25519": key, "note": "x"}))
        manager.create_secret(Name="list", SecretString="[1]")
        values = leaks.secret_values(session)
    assert values["host-keys: ed25519"] == b"the-middle-of-it"
    assert set(values) == {"host-keys", "host-keys: ed25519", "list"}
