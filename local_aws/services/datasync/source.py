"""The source of a transfer: objects in moto's S3, seen as files and folders as DataSync does."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from moto.s3.models import FakeDeleteMarker, FakeKey

from local_aws.application import LocalAwsApplication
from local_aws.files import Owner
from local_aws.services.datasync import checks, roles
from local_aws.services.datasync.filters import Selection
from local_aws.services.datasync.state import Execution, Json

# What an object without metadata of its own is owned by, be it a file or a folder:
# https://docs.aws.amazon.com/datasync/latest/userguide/metadata-copied.html
DEFAULT_OWNER = Owner(65534, 65534, 0o755)
_ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
_META = "x-amz-meta-"


class ExecutionFailed(Exception):
    """An execution ends in ERROR with this code and these details."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


@dataclass
class Item:
    """A file or a folder at the source; `path` begins with a slash and is relative to the location."""

    path: str
    is_folder: bool
    key: str = ""
    size: int = 0
    modified: float = 0  # seconds since 1970
    owner: Owner = DEFAULT_OWNER
    version: str | None = None

    @property
    def kind(self) -> str:
        return "Directory" if self.is_folder else "Regular"

    def metadata(self) -> Json:
        """As reports show it."""
        return {
            "Type": self.kind,
            "ContentSize": self.size,
            "Mtime": self.modified,
            "Uid": self.owner.uid,
            "Gid": self.owner.gid,
            "Mode": f"{self.owner.mode:04o}",
        }


@dataclass
class Listing:
    """What is at the source; the outermost folder comes first."""

    folders: dict[str, Item] = field(default_factory=dict)
    files: dict[str, Item] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)  # keys with empty parts, "." or ".."
    missing: list[str] = field(default_factory=list)  # in the manifest, not in the bucket


class Source:
    """An S3 location as the source of one execution."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.backend = execution.task.backend
        self.metadata: Json = execution.task.source.metadata
        self.prefix = self.metadata["Subdirectory"].lstrip("/")

    def bucket(self) -> Any:
        return checks.bucket_of(self.backend, self.metadata["S3BucketArn"])

    def listing(self) -> Listing:
        """What the filters or the manifest let through. Raises ExecutionFailed for a manifest that is not there."""
        settings = self.execution.settings
        manifest = settings.get("ManifestConfig")
        with LocalAwsApplication.lock_for_backends:
            wanted = self._manifest(manifest["Source"]["S3"]) if manifest else None
            keys = self._keys(wanted)
        listing, selection = Listing(), Selection(settings.get("Includes"), settings.get("Excludes"))
        if wanted is not None:
            listing.missing = sorted(set(wanted) - {name for name, _ in keys})
        else:
            listing.folders["/"] = Item("/", is_folder=True)  # the location itself has an owner and a mode too
        for name, key in keys:
            self._add(listing, selection, name, key)
        listing.folders = dict(sorted(listing.folders.items()))
        return listing

    def _keys(self, wanted: dict[str, str | None] | None) -> list[tuple[str, Any]]:
        """Names relative to the location, and moto's keys."""
        store = self.bucket().keys
        if wanted is None:
            found = [(name[len(self.prefix) :], key) for name, key in store.items() if name.startswith(self.prefix)]
        else:
            found = []
            for name, version in wanted.items():
                versions = [each for each in store.getlist(self.prefix + name, []) if isinstance(each, FakeKey)]
                chosen = [each for each in versions if version in (None, each.version_id)]
                if chosen and (version or isinstance(store.get(self.prefix + name), FakeKey)):
                    found.append((name, chosen[-1]))
        return [(name, key) for name, key in found if name and not isinstance(key, FakeDeleteMarker)]

    def _manifest(self, source: Json) -> dict[str, str | None]:
        """Names and versions. https://docs.aws.amazon.com/datasync/latest/userguide/transferring-with-manifest.html"""
        bucket = checks.bucket_of(self.backend, source["S3BucketArn"])
        key = bucket.keys.get(source["ManifestObjectPath"])
        if not isinstance(key, FakeKey):
            raise ExecutionFailed("ManifestFileDoesNotExist", "The manifest file does not exist.")
        rows = csv.reader(io.StringIO(key.value.decode()))
        return {row[0].lstrip("/"): row[1] if len(row) > 1 and row[1] else None for row in rows if row}

    def _add(self, listing: Listing, selection: Selection, name: str, key: Any) -> None:
        is_folder = name.endswith("/")
        parts = name.removesuffix("/").split("/")
        if any(part in ("", ".", "..") for part in parts):
            listing.unsupported.append(name)
            return
        path = "/" + "/".join(parts)
        if not selection.holds(path):
            return
        for end in range(1, len(parts)):
            above = "/" + "/".join(parts[:end])
            listing.folders.setdefault(above, Item(above, is_folder=True))
        item = _item(path, is_folder, key)
        (listing.folders if is_folder else listing.files)[path] = item

    def read(self, item: Item) -> bytes:
        """The content as it is now. Raises OSError where it cannot be had."""
        with LocalAwsApplication.lock_for_backends:
            if not roles.may_read(self.backend, self.metadata, item.key, item.version):
                raise PermissionError("S3 Get Object Failed")
            versions = self.bucket().keys.getlist(item.key, [])
            chosen = [each for each in versions if each.version_id == item.version] if item.version else versions
            if not chosen or not isinstance(chosen[-1], FakeKey):
                raise FileNotFoundError("No such file or directory")
            if chosen[-1].storage_class in _ARCHIVED and chosen[-1].expiry_date is None:
                raise PermissionError("S3 Get Object Failed")
            return bytes(chosen[-1].value)


def _item(path: str, is_folder: bool, key: Any) -> Item:
    given = {name.removeprefix(_META): str(value) for name, value in key.metadata.items()}
    mode = re.fullmatch(r"[0-7]{3,7}", given.get("file-permissions", ""))
    ids = [given.get(name, "") for name in ("file-owner", "file-group")]
    uid, gid = (int(each) if each.isdecimal() and int(each) < 2**32 else 65534 for each in ids)
    return Item(
        path,
        is_folder,
        key.name,
        0 if is_folder else key.size,
        _modified(given.get("file-mtime", ""), key.last_modified.replace(tzinfo=UTC).timestamp()),
        Owner(uid, gid, int(mode[0], 8) & 0o7777 if mode else DEFAULT_OWNER.mode),
        key.version_id if key.version_id not in (None, "null") else None,
    )


def _modified(given: str, otherwise: float) -> float:
    """`file-mtime` is in milliseconds (DataSync) or, with the unit, nanoseconds (file gateways)."""
    found = re.fullmatch(r"(\d+)(ns)?", given)
    return int(found[1]) / (1e9 if found[2] else 1e3) if found else otherwise
