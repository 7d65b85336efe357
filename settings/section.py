"""An optional part of a workspace: what the workspace and its checks ask of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from settings.fields import Settings


@dataclass(frozen=True, kw_only=True)
class ExistingBucket:
    """A bucket that the workspace names and nobody makes here. `events`: it has to send its events to EventBridge.

    `originals`: images stay in it, so that none of its objects may expire or go into an archive.
    """

    name: str
    events: bool
    originals: bool


class Section(Settings, ABC):
    """An optional part, present where its key is given. Each answers every question; `contract.sections` has the rest.

    Keys in the answers are relative to the section, for instance `sources.0.key_arn`.
    """

    @abstractmethod
    def addresses(self) -> int:
        """Private addresses that it takes from the workspace's private subnets at its worst moment."""

    @abstractmethod
    def arns(self) -> Mapping[str, str | None]:
        """ARNs that it names; each has to be in the workspace's region."""

    @abstractmethod
    def folders(self) -> Mapping[str, str]:
        """Folders of OMERO's file system that it writes into; none may lie in another section's."""

    @abstractmethod
    def buckets(self) -> Mapping[str, ExistingBucket]:
        """Existing buckets that it names."""

    def keeps_anything(self) -> bool:
        """Whether something that it makes has to outlive its stack, in a stack of its own."""
        return False

    @abstractmethod
    def share(self) -> str | None:
        """Where an NFS share of its own is mounted; None if it has none."""
