"""What a section of a workspace adds to its rehearsal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from contract import sections
from contract.section import named
from settings import Workspace

if TYPE_CHECKING:
    from scripts.rehearsal.run import Rehearsal

Moment = Literal["deployed", "planned", "before_destroy"]
"""Right after `deploy` (the plans that follow find nothing to change), after those plans, or before `destroy`."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step with its `name`, and what it `proved`, for people. `run` raises `Failed` where it proves the contrary."""

    name: str
    moment: Moment
    run: Callable[[Rehearsal], None]
    proved: str = ""


@dataclass(frozen=True, kw_only=True)
class SectionRehearsal:
    """The steps of a section. `environ` is what Terraform needs for it; it gets the workspace and the endpoint."""

    steps: tuple[Step, ...] = ()
    environ: Callable[[Workspace, str], dict[str, str]] | None = None


def of(workspace: Workspace) -> Iterator[SectionRehearsal]:
    """Those of the workspace's sections."""
    for record in sections.of(workspace):
        if record.rehearsal:
            yield found(record.rehearsal)


def steps(workspace: Workspace, moment: Moment) -> Iterator[Step]:
    """The steps of the workspace's sections at a moment."""
    return (step for each in of(workspace) for step in each.steps if step.moment == moment)


def found(name: str) -> SectionRehearsal:
    """The rehearsal that a record names."""
    rehearsal: SectionRehearsal = named(name)
    return rehearsal
