"""The stacks of a workspace's sections, from their records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from constructs import Construct

from contract import sections
from contract.section import named
from settings import Workspace
from settings.section import Section
from stacks.base import WorkspaceStack
from stacks.built import Built


class SectionStack(WorkspaceStack):
    """A stack of a section. Every one takes scope, workspace, what is built so far, and the section's settings."""


def build_sections(
    scope: Construct, workspace: Workspace, built: Built, *, comes: Literal["before_omero", "after_omero"]
) -> None:
    """Make the stacks that come before or after the stack `omero`, and add them to `built`."""
    for record, stack in sections.section_stacks(workspace):
        if stack.comes == comes:
            make = stack_class(stack.class_)
            built.sections[stack.outputs.stack] = make(scope, workspace, built, workspace.sections[record.key])


def stack_class(name: str) -> Callable[[Construct, Workspace, Built, Section], SectionStack]:
    """The class that a record names."""
    found: Callable[[Construct, Workspace, Built, Section], SectionStack] = named(name)
    return found
