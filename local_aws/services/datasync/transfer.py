"""The work of an execution: compare, copy, delete and verify, file by file.

https://docs.aws.amazon.com/datasync/latest/userguide/how-datasync-transfer-works.html
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from local_aws.services.datasync import roles
from local_aws.services.datasync.destination import Destination
from local_aws.services.datasync.filters import Selection
from local_aws.services.datasync.journal import Journal
from local_aws.services.datasync.source import ExecutionFailed, Item, Listing, Source
from local_aws.services.datasync.state import Execution

_INCOMPLETE = (
    "Transfer and verification completed. Selected files transferred except for files skipped due to errors. If no "
    "skipped files are listed in Cloud Watch Logs, please contact AWS Support for further assistance."
)
_MISMATCHES = (
    "Transfer and verification completed. Verification detected mismatches. Files with mismatches are listed in Cloud "
    "Watch Logs"
)


class Cancelled(Exception):
    """Somebody cancelled the execution."""


@dataclass
class Step:
    """Something that is to be transferred."""

    item: Item
    path: Path
    difference: str


class Transfer:
    """One execution's transfer; counts in `execution.counters` as it goes."""

    def __init__(self, execution: Execution, journal: Journal) -> None:
        self.execution, self.journal = execution, journal
        self.counters = execution.counters
        self.options = execution.settings["Options"]
        self.source = Source(execution)
        self.destination = Destination(execution.task, self.options)
        self.listing = Listing()
        self.steps: list[Step] = []
        self.transferred: list[Step] = []
        self.kept: list[Step] = []  # unchanged, or not to be overwritten
        self.stale: list[tuple[str, Path]] = []
        self._failed_once: set[str] = set()
        self._failed: set[str] = set()

    def launch(self) -> None:
        """Raises ExecutionFailed where one of the locations cannot be reached."""
        self.source.bucket()
        if why := roles.cannot_list(self.source.backend, self.source.metadata):
            raise ExecutionFailed("AccessDenied", why)
        self.destination.mount()

    def prepare(self) -> None:
        """List both sides, and find what differs."""
        self.listing = self.source.listing()
        counters, listing = self.counters, self.listing
        counters.listed, counters.listed_folders = len(listing.files), len(listing.folders)
        for key in listing.unsupported:
            self._skip(Item(f"/{key}", key.endswith("/")), "UnsupportedKey", "empty, . and .. are no names of files")
        for key in listing.missing:
            self._fail("Prepare", Item(f"/{key}", is_folder=False), "No such file or directory")
        for item in [*listing.folders.values(), *listing.files.values()]:
            self._check_cancelled()
            try:
                self._compare(item)
            except OSError as error:
                self._fail("Prepare", item, error.strerror or str(error))
        if self.options["PreserveDeletedFiles"] == "REMOVE":
            self._find_stale()

    def _compare(self, item: Item) -> None:
        path = self.destination.path(item.path)
        difference = self.destination.difference(item, path)
        may = difference == "NEW" or self.options["OverwriteMode"] == "ALWAYS"
        if may and self.options["TransferMode"] == "ALL" and not difference:
            difference = "METADATA" if item.is_folder else "CONTENT"
        if not difference or not may:
            self._skip(item, "", "")
            if not difference:
                self.kept.append(Step(item, path, ""))
            return
        self.steps.append(Step(item, path, difference))
        if item.is_folder:
            self.counters.to_transfer_folders += 1
        else:
            self.counters.to_transfer += 1
            self.counters.bytes_to_transfer += 0 if difference == "METADATA" else item.size

    def _find_stale(self) -> None:
        settings = self.execution.settings
        selection = Selection(settings.get("Includes"), settings.get("Excludes"))
        known = self.listing.files.keys() | self.listing.folders.keys()
        found = self.destination.below()
        self.counters.at_destination = len(found)
        self.stale = [(name, path) for name, path in found if name not in known and selection.holds(name)]
        self.counters.to_delete_folders = sum(path.is_dir() for _, path in self.stale)
        self.counters.to_delete = len(self.stale) - self.counters.to_delete_folders

    def transfer(self) -> None:
        """Copy what differs, then remove what is not at the source if that is asked for."""
        for step in self.steps:
            self._check_cancelled()
            try:
                self._copy_with_retry(step)
            except OSError as error:
                self._fail("Transfer", step.item, error.strerror or str(error))
                continue
            self.transferred.append(step)
            self._count("transferred", step.item)
            self.journal.entry("Transferred", step.item, Overwrite="False" if step.difference == "NEW" else "True")
            self.journal.log(
                "INFO", f"Transferred file {step.item.path}, {step.item.size} bytes", RelativePath=step.item.path
            )
        for name, path in self.stale:
            item = Item(name, path.is_dir())
            try:
                self.destination.delete(path)
            except OSError as error:
                self._fail("Delete", item, error.strerror or str(error), kind="Deleted")
            else:
                self._count("deleted", item)
                self.journal.entry("Deleted", item)

    def _copy_with_retry(self, step: Step) -> None:
        try:
            self._copy(step)
        except OSError as error:
            if step.item.path not in self._failed_once:
                raise
            self.journal.log("WARN", f"Failed to transfer {step.item.path}: {error}; retrying")
            self._copy(step)

    def _copy(self, step: Step) -> None:
        item, execution = step.item, self.execution
        if any(part in item.path for part in execution.met("fail")):
            raise OSError("Input/output error")
        if item.path not in self._failed_once and any(part in item.path for part in execution.met("fail-once")):
            self._failed_once.add(item.path)
            raise OSError("Input/output error")
        if item.is_folder:
            self.destination.make_folder(item, step.path)
        elif step.difference == "METADATA":
            self.destination.set_metadata(item, step.path)
        else:
            content = self.source.read(item)
            self._throttle(len(content))
            self.destination.write(item, step.path, content)
            self.counters.bytes_read += len(content)
            self.counters.bytes_written += len(content)

    def _throttle(self, size: int) -> None:
        limit = self.options["BytesPerSecond"]
        if limit > 0:
            self.execution.cancelled.wait(size / limit)
            self._check_cancelled()

    def verify(self) -> None:
        """Compare both sides once more: what was transferred, or all of it (POINT_IN_TIME_CONSISTENT)."""
        everything = self.options["VerifyMode"] == "POINT_IN_TIME_CONSISTENT"
        for step in [*self.transferred, *(self.kept if everything else ())]:
            self._check_cancelled()
            item = step.item
            try:
                wrong = self._mismatches(step)
            except OSError as error:
                wrong = [error.strerror or str(error)]
            if wrong:
                self.journal.log("NOTICE", f"Verification failed <> {item.path}")
                self.journal.log("NOTICE", f"{item.path}   differs in: {', '.join(wrong)}")
                self._fail("Verify", item, "Verification failed due to a difference in " + ", ".join(wrong), "Verified")
            else:
                self._count("verified", item)
                self.journal.entry("Verified", item)
                self.journal.log("INFO", f"Verified file {item.path}, {item.size} bytes", RelativePath=item.path)

    def _mismatches(self, step: Step) -> list[str]:
        wrong = self.destination.mismatches(step.item, step.path)
        if step.item.is_folder:
            return wrong if step.path.is_dir() else ["existence"]
        found = hashlib.sha256(step.path.read_bytes()).digest()
        if found != hashlib.sha256(self.source.read(step.item)).digest():
            wrong.append("content")
        return wrong

    @property
    def error(self) -> tuple[str, str] | None:
        """With what the execution ends: nothing, files that were left out, or mismatches."""
        failed = self.counters.failed
        if failed["Verify"]:
            return "VerificationFailed", _MISMATCHES
        return ("TransferFailed", _INCOMPLETE) if any(failed.values()) else None

    def _count(self, what: str, item: Item) -> None:
        name = f"{what}_folders" if item.is_folder else what
        setattr(self.counters, name, getattr(self.counters, name) + 1)

    def _skip(self, item: Item, error: str, detail: str) -> None:
        self._count("skipped", item)
        self.journal.entry("Skipped", item, error=error, detail=detail)
        if error:
            self.journal.log("WARN", f"Skipped {item.path}: {detail}")

    def _fail(self, step: str, item: Item, detail: str, kind: str = "Transferred") -> None:
        self.counters.failed[step] += 1
        self.journal.entry(kind, item, error=f"{step}Failed", detail=detail)
        if step != "Verify":
            self.journal.log("ERROR", f"Failed to {step.lower()} {item.path}: {detail}")

    def _check_cancelled(self) -> None:
        if self.execution.cancelled.is_set():
            raise Cancelled
