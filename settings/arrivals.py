"""Section `arrivals`: folders whose images are imported without anybody asking for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from settings.fields import Distinct, Email, Fault, Like, OmeroUser, Settings, rule
from settings.paths import DATA_DIR, OWN_FOLDERS

FOLDER = "{folder}"
"""In an owner, group or target: the name of the folder directly below the watched one."""
# Of a standard parameter of Systems Manager (API reference, PutParameter: 4 KB), less what is beside them: a queue's
# URL, a topic's ARN, and the address of OMERO.web, whose name may have 253 characters.
MOST_CHARACTERS = 3400
# As OMERO's importer takes them, with a data set in a project besides; `regex:` finds folders by itself.
_TARGET = r"(Dataset|Screen):(([-+%@]?name:)?.+)|Project:([-+%@]?name:)?[^/]+/Dataset:[-+%@]?name:.+|regex:.+"


def _path(value: str) -> str:
    parts = value.split("/")
    if not value.startswith("/") or any(part in ("", ".", "..") for part in parts[1:]):
        raise ValueError(f"{value} is not an absolute path; one looks like /OMERO/DropZone")
    if value == DATA_DIR or (parts[1] == DATA_DIR[1:] and parts[2] in OWN_FOLDERS):
        raise ValueError(
            f"{value} holds what OMERO keeps for itself; give a folder for images, for instance /OMERO/DropZone"
        )
    return value


def _target(value: str) -> str:
    if value and not re.fullmatch(_TARGET, value, re.DOTALL):
        raise ValueError(
            f"{value} is not a target; allowed: Dataset:5, Dataset:name:a name, Project:name:P/Dataset:name:D, "
            "Screen:..., regex:..."
        )
    if FOLDER in value and (value.startswith("regex:") or "name:" not in value.partition(FOLDER)[0]):
        raise ValueError(f"{value} has {FOLDER} where no name is; give Dataset:name:{FOLDER}, or a regex: without it")
    return value


def _who(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9_.@-]{1,64}", value.replace(FOLDER, "folder")):
        raise ValueError(
            f"{value} is not a name in OMERO; give one of 1 to 64 letters, digits and _ . @ -, or {FOLDER}"
        )
    return value


Who = Annotated[str, AfterValidator(_who)]
FolderName = Annotated[str, Like(r"[^/\x00-\x1f]{1,255}", "name of a folder", "scanner-3")]


class WatchedFolder(Settings):
    """A folder, and how its files find their owner and their place in OMERO.

    In `user`, `group` and `target`, `{folder}` is the name of the folder directly below it: a sender's, with SFTP.
    """

    path: Annotated[str, AfterValidator(_path)]
    """The folder, as OMERO.server sees it."""
    user: Who = ""
    """The OMERO user who will own the images; left out, the importer's own. With `{folder}`, whoever can make a folder
    there chooses the owner."""
    group: Who = ""
    """The OMERO group of the images; left out, the owner's default group."""
    target: Annotated[str, AfterValidator(_target)] = ""
    """Where images go, as `omero-aws imports run -T` takes it; it is created if it is not there. Left out, nowhere."""
    owners: Mapping[FolderName, OmeroUser] = Field(default_factory=dict, max_length=100)
    """Who owns the images of which folder directly below it, where the two names differ, by the folder's name."""
    transfer: Literal["ln_s", "ln", "cp", "upload"] = "ln_s"
    """`ln_s` leaves files where they are; `cp` and `upload` copy them; `ln` makes hard links."""

    @rule
    def _owners_of_folders(self) -> Iterator[Fault]:
        if self.owners and FOLDER not in self.user:
            yield "owners", f"all images here belong to {self.user or 'the importer'}; set user: '{FOLDER}' as well"


def _folder(folder: WatchedFolder) -> str:
    return folder.path


class Arrivals(Settings):
    """The worker beside OMERO.server looks at these folders by itself, and imports what has arrived."""

    folders: Annotated[tuple[WatchedFolder, ...], Field(min_length=1, max_length=20), Distinct(_folder)] | None = None
    """The folders; left out, that of each way in that the workspace has: of `sftp`, with `user: '{folder}'` and a
    dataset for each sender; of `datasync` and the share, with a dataset for each folder and the importer as the
    owner."""
    interval_minutes: Annotated[int, Field(ge=1, le=60)] = 5
    """Minutes between looks. Each costs a metadata read of EFS for each folder; all files are read once a night."""
    settle_seconds: Annotated[int, Field(ge=10, le=3600)] = 60
    """Seconds for which a file must not change before it is imported."""
    alarm_minutes: Annotated[int, Field(ge=10, le=10_080)] = 60
    """Minutes for which something may wait to be imported before `omero.importer.alarm_emails` are notified. Raise it
    for backlogs that take hours."""
    report_emails: Annotated[tuple[Email, ...], Field(max_length=20), Distinct(str.casefold)] = ()
    """Addresses that are told what was imported and what failed, with the names of files: at most one e-mail in 15
    minutes. Each gets an e-mail from AWS to confirm first. Left out, nobody is told: the topic's ARN is an output."""

    @rule
    def _fits(self) -> Iterator[Fault]:
        size = len(self.model_dump_json(exclude={"report_emails"}))
        if size > MOST_CHARACTERS:
            yield (
                "folders",
                f"they take {size} characters, and an SSM parameter has room for {MOST_CHARACTERS}; give fewer owners, "
                "by letting folders have the names of OMERO's users",
            )

    @rule
    def _folders_are_apart(self) -> Iterator[Fault]:
        paths = [(index, each.path) for index, each in enumerate(self.folders or ()) if each is not None]
        for index, path in paths:
            for _, other in paths[:index]:
                if f"{path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{path}/"):
                    yield (
                        f"folders.{index}.path",
                        f"{path} and {other} overlap; give folders that do not contain each other",
                    )
