"""The optional sections of a workspace. A module in this folder is a section: its `RECORD` registers it.

`main` builds their stacks, rehearsals take their steps and the inventory lists their kinds by iterating `SECTIONS`.
What the workspace itself asks of a section, its settings answer (`settings.section.Section`).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping

from contract.outputs import Data, Frontend, Network, Omero, Outputs
from contract.section import SectionRecord, Stack
from settings import Workspace

SECTIONS: Mapping[str, SectionRecord] = {
    module.name: importlib.import_module(f"{__name__}.{module.name}").RECORD
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name)
}
"""Every section, by key."""

_CORE: tuple[type[Outputs], ...] = (Network, Data, Frontend, Omero)


def of(workspace: Workspace) -> Iterator[SectionRecord]:
    """The sections that a workspace has."""
    return (SECTIONS[key] for key in workspace.sections)


def section_stacks(workspace: Workspace) -> Iterator[tuple[SectionRecord, Stack]]:
    """The stacks of the sections that a workspace has: for each, that of what is kept, if anything is, and its own."""
    for record in of(workspace):
        kept = record.kept if workspace.sections[record.key].keeps_anything() else None
        yield from ((record, stack) for stack in (kept, record.stack) if stack)


def stacks(workspace: Workspace) -> list[str]:
    """The names of a workspace's stacks."""
    return [outputs.stack for outputs in (*_CORE, *(stack.outputs for _, stack in section_stacks(workspace)))]


def outputs() -> tuple[type[Outputs], ...]:
    """The outputs of every stack, of the core and of all sections."""
    stacks = [stack for each in SECTIONS.values() for stack in (each.kept, each.stack) if stack]
    return (*_CORE, *(stack.outputs for stack in stacks))
