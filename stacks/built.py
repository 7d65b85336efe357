"""The stacks of a workspace that are there so far, for those that build on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from stacks.base import WorkspaceStack
from stacks.data import DataStack
from stacks.frontend import FrontendStack
from stacks.network import NetworkStack

if TYPE_CHECKING:
    from stacks.file_gateway import FileGatewayStack
    from stacks.omero import OmeroStack


@dataclass(kw_only=True)
class Built:
    """The core stacks, and those of sections by name."""

    network: NetworkStack
    data: DataStack
    frontend: FrontendStack
    sections: dict[str, WorkspaceStack] = field(default_factory=dict)
    _omero: OmeroStack | None = None

    @property
    def omero(self) -> OmeroStack:
        """The stack `omero`.

        Raises:
            LookupError: asked by a section that comes before it.
        """
        if self._omero is None:
            raise LookupError('the stack omero is not there yet; register the section as "after_omero"')
        return self._omero

    @omero.setter
    def omero(self, stack: OmeroStack) -> None:
        self._omero = stack

    @property
    def file_gateway(self) -> FileGatewayStack | None:
        """The stack with a gateway of our own, if the workspace has that section."""
        return cast("FileGatewayStack | None", self.sections.get("file_gateway"))
