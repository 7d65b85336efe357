"""Search for the values of secrets where they must never be."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3

from scripts import aws


def secret_values(session: boto3.Session) -> dict[str, bytes]:
    """The value of every secret in the account, by name. For a rehearsal's AWS only: it reads them all.

    Of private keys in a JSON object a line from the middle: elsewhere a key's lines would end otherwise.
    """
    manager = session.client("secretsmanager")
    found: dict[str, bytes] = {}
    for secret in aws.rows(manager, "list_secrets", "SecretList"):
        text = manager.get_secret_value(SecretId=secret["ARN"])["SecretString"]
        found[secret["Name"]] = text.encode()
        for key, lines in _private_keys(text):
            found[f"{secret['Name']}: {key}"] = lines[len(lines) // 2].encode()
    return found


def _private_keys(text: str) -> Iterator[tuple[str, list[str]]]:
    try:
        values = json.loads(text)
    except ValueError:
        return
    for key, value in values.items() if isinstance(values, dict) else ():
        if "PRIVATE KEY" in str(value):
            yield key, str(value).splitlines()


def in_files(folder: Path, values: Mapping[str, bytes]) -> Iterator[str]:
    """Files below `folder` that hold a value, as itself or in base64, and in which member of an archive.

    Links are not followed: the provider's binary hangs on one.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or ".terraform/providers" in str(path):
            continue
        for where, data in _contents(path):
            for name in _found(data, values):
                yield f"{where} ({name})"


def in_bucket(session: boto3.Session, bucket: str, values: Mapping[str, bytes]) -> Iterator[str]:
    """Objects of a bucket, in every version, that hold a value."""
    s3 = session.client("s3")
    for version in aws.rows(s3, "list_object_versions", "Versions", Bucket=bucket):
        key, id_ = version["Key"], version["VersionId"]
        data = s3.get_object(Bucket=bucket, Key=key, VersionId=id_)["Body"].read()
        for name in _found(data, values):
            yield f"s3://{bucket}/{key}?versionId={id_} ({name})"


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    yield str(path), path.read_bytes()
    # Terraform's plan files are archives.
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                yield f"{path}:{member}", archive.read(member)


def _found(data: bytes, values: Mapping[str, bytes]) -> Iterator[str]:
    for name, value in values.items():
        # In base64 the first and last characters depend on what stands beside it.
        if value in data or base64.b64encode(value)[:-4] in data:
            yield name
