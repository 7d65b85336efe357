"""What an optional section registers, once, for all who iterate sections."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contract.kinds import Kind, ScriptMade
from contract.outputs import Outputs


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The stack of a section. `class_` is its dotted name: `contract` imports no cdktf.

    `comes`: "before_omero" for what the servers mount; "after_omero" for what builds on a server that has run.
    """

    class_: str
    comes: Literal["before_omero", "after_omero"]
    outputs: type[Outputs]


@dataclass(frozen=True, kw_only=True)
class SectionRecord:
    """A section: its `key` in the workspace, and its `stack` (None if scripts make all of it).

    `kept`: the stack of what outlives the section's own, made before it; None if nothing does.
    `kinds`: what it creates, by name, beyond what every workspace does. `rehearsal`: the dotted name of its
    `scripts.rehearsal.section.SectionRehearsal`; None if deploying it proves all there is to prove.
    `command`: the command whose `teardown` takes away what scripts made for it, which has it as the tag `ManagedBy`;
    None if they make nothing. `script_made`: what of that has to go before stacks do.
    """

    key: str
    stack: Stack | None
    kept: Stack | None = None
    kinds: Mapping[str, Kind]
    rehearsal: str | None
    command: str | None
    script_made: tuple[ScriptMade, ...] = ()


def named(dotted: str) -> Any:
    """What a record gives the dotted name of: the attribute of a module, imported only now."""
    module, _, attribute = dotted.rpartition(".")
    return getattr(importlib.import_module(module), attribute)
