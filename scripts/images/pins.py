"""Which digests the tags of a workspace's images have, and which newer tags there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from contract import images
from scripts import aws
from scripts.errors import Failed
from scripts.images import reference, repositories
from scripts.images.reference import Reference
from scripts.images.registry import Registry
from settings import Workspace

NEWER_SHOWN = 3


class Pins:
    """The registries of a workspace's images. Each is asked when it is needed, ECR with the workspace's credentials."""

    def __init__(self, workspace: Workspace, *, registry: Callable[[str], Registry] = Registry) -> None:
        self.workspace = workspace
        self._make = registry
        self._registries: dict[str, Registry] = {}

    def resolve(self, image: str) -> str:
        """The image's name with the digest that its tag has now.

        Raises:
            Failed: its registry cannot be asked, or has no such tag.
            aws.ERRORS: ECR did not answer, or denied the question.
        """
        found = reference.parse(image)
        return found.pinned(self._digest(found))

    def notes(self) -> Iterator[str]:
        """A sentence for each thing to know of the images that the workspace names; and what could not be asked."""
        for key, image in images.named(self.workspace).items():
            found = reference.parse(image)
            if not found.digest:
                yield f"{key} {image} is not pinned by a digest; `omero-aws images pin` adds it."
            if found.tag:
                try:
                    yield from self._about(key, found)
                except Failed as error:
                    yield f"{key}: {error}"
                except aws.ERRORS as error:
                    yield f"{key}: {aws.sentence(error)}"

    def _about(self, key: str, image: Reference) -> Iterator[str]:
        if image.digest and (now := self._digest(image)) != image.digest:
            yield (
                f"{key}: the tag {image.tag} of {image.name} now means {now}, and the workspace keeps what it meant "
                "before; to take the new one, remove the digest and run `omero-aws images pin`."
            )
        if image.ecr:
            return
        if found := reference.newer(image.tag, self._registry(image).tags(image)):
            yield (
                f"{key}: {image.name} has newer releases than {image.tag}: {', '.join(found[:NEWER_SHOWN])}; read "
                "their release notes, and rehearse the change before you deploy it."
            )

    def _digest(self, image: Reference) -> str:
        if image.ecr is None:
            return self._registry(image).digest(image)
        account, region = image.ecr
        ecr: Any = aws.session(self.workspace, region).client("ecr")
        found = repositories.digest(ecr, image.repository, image.tag, account=account)
        if found is None:
            raise Failed(f"the ECR repository {image.repository} has no {image.tag}; build it, or correct the tag.")
        return found

    def _registry(self, image: Reference) -> Registry:
        if image.host not in self._registries:
            self._registries[image.host] = self._make(image.host)
        return self._registries[image.host]
