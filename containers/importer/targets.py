"""Where images go: a target of OMERO's by its id, looked up or made once before the importers begin.

Several importers at once would make one each. The form is that of `omero import -T` (OMERO documentation, "Import
targets"), with a data set in a project besides: `Project:name:P/Dataset:name:D`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .faults import JobError
from .omero import Omero

# Before `name`: the newest of that name (the default), the oldest, the only one, a new one.
NEWEST, OLDEST, ONLY, NEW = QUALIFIERS = "+-%@"
PATTERN = re.compile(r"(Dataset|Project|Screen):(?:([-+%@]?)(name|id):)?(.+)", re.DOTALL)
IN_PROJECT = re.compile(r"(Project:.+)/(Dataset:.+)", re.DOTALL)


class Wanted(NamedTuple):
    """One container, by its id or by a name."""

    kind: str
    qualifier: str
    by: str
    value: str


class Owner(NamedTuple):
    """Who will own the images: an OMERO with a session of theirs, and their name."""

    omero: Omero
    session: str
    name: str

    def query(self, text: str) -> list[list[str]]:
        """The rows of a query of theirs."""
        return self.omero.query(text, session=self.session)


def check(target: str, owner: Owner, *, create: bool) -> str:
    """A target by its id, made if `create` and it is not there; as it is where OMERO finds it by the path.

    Raises:
        JobError: it is none, or is not there, or there are several.
    """
    if not target or target.startswith("regex:"):
        return target
    if within := IN_PROJECT.fullmatch(target):
        return _in_project(owner, _parsed(within[1], target), _parsed(within[2], target), create=create)
    wanted = _parsed(target, target)
    if wanted.kind == "Project":
        raise JobError(f"target {target} is a project, and images are in data sets: {target}/Dataset:name:a name")
    return f"{wanted.kind}:{_id(owner, wanted, create=create)}"


def _parsed(text: str, whole: str) -> Wanted:
    found = PATTERN.fullmatch(text)
    wanted = Wanted(found[1], found[2] or NEWEST, found[3] or "id", found[4]) if found else None
    if wanted is None or (wanted.by == "id" and not re.fullmatch("[0-9]+", wanted.value)):
        raise JobError(
            f"target {whole} is none; allowed: Dataset:5, Dataset:name:a name, Screen:..., "
            "Project:name:P/Dataset:name:D, regex:..."
        )
    return wanted


def _id(owner: Owner, wanted: Wanted, *, create: bool, project: int | None = None) -> int:
    """The id of a container; `project` is the one that it has to be in."""
    kind = wanted.kind
    source = f"{kind} o" if project is None else "ProjectDatasetLink link join link.child o join link.parent project"
    place = "" if project is None else f" and project.id = {project}"
    if wanted.by == "id":
        rows = owner.query(f"select o.id from {source} where o.id = {int(wanted.value)}{place}")  # noqa: S608 - numbers
        if not rows:
            raise JobError(f"there is no {kind} {wanted.value}, or {owner.name} may not see it; name another target")
        return int(wanted.value)
    quoted = wanted.value.replace("'", "''")
    # Somebody else's of that name may not be theirs to put images into; OMERO's own importer looks the same way.
    own = f"o.details.owner.omeName = '{owner.name}'"
    rows = owner.query(f"select o.id from {source} where o.name = '{quoted}' and {own}{place}")  # noqa: S608 - quoted
    ids = sorted(int(row[0]) for row in rows)
    if len(ids) > 1 and wanted.qualifier == ONLY:
        raise JobError(f"{len(ids)} {kind}s are named {wanted.value}; give the id of one: {kind}:{ids[0]}")
    if ids and wanted.qualifier != NEW:
        return ids[0] if wanted.qualifier == OLDEST else ids[-1]
    if not create:
        raise JobError(
            f"there is no {kind} named {wanted.value}; add --create-target to have it made, or name another"
            if not ids
            else f"a new {kind} named {wanted.value} is asked for; add --create-target to have it made"
        )
    return _made(owner, kind, f"name={wanted.value}")


def _in_project(owner: Owner, project: Wanted, dataset: Wanted, *, create: bool) -> str:
    parent = _id(owner, project, create=create)
    child = _id(owner, dataset, create=create, project=parent)
    link = f"link.parent.id = {parent} and link.child.id = {child}"
    if not owner.query(f"select link.id from ProjectDatasetLink link where {link}"):  # noqa: S608 - numbers
        _made(owner, "ProjectDatasetLink", f"parent=Project:{parent}", f"child=Dataset:{child}")
    return f"Dataset:{child}"


def _made(owner: Owner, kind: str, *fields: str) -> int:
    return owner.omero.make(owner.session, kind, *fields)
