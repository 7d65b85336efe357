"""The name of a container image, as Docker reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from contract.images import tag_of
from settings.pins import release

DOCKER_HUB = "registry-1.docker.io"
_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image: the `host` of its registry, its `repository` there, and `tag` and `digest` where it has them.

    `name` is what stands before tag and digest, as it was written.
    """

    name: str
    host: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name}{f':{self.tag}' if self.tag else ''}{f'@{self.digest}' if self.digest else ''}"

    @property
    def ecr(self) -> tuple[str, str] | None:
        """Account and region, if the registry is a private one of ECR."""
        found = _ECR.fullmatch(self.host)
        return (found["account"], found["region"]) if found else None

    def pinned(self, digest: str) -> str:
        """The name with this digest. The tag stays, for people: ECS and Docker go by the digest alone
        (amazon-ecs-agent, pull request 4256)."""
        return str(replace(self, digest=digest))


def parse(image: str) -> Reference:
    """What an image's name says.

    The first part is a host if it has a dot or a colon, or is `localhost`; all else is Docker Hub's, whose images
    without an organisation are in `library` (distribution/reference, `normalize.go`).
    """
    rest, _, digest = image.partition("@")
    tag = tag_of(image)
    name = rest.removesuffix(f":{tag}") if tag else rest
    first, _, below = name.partition("/")
    if below and ("." in first or ":" in first or first == "localhost"):
        host, repository = first, below
    else:
        host, repository = "docker.io", name
    if host in ("docker.io", "index.docker.io"):
        host, repository = DOCKER_HUB, repository if "/" in repository else f"library/{repository}"
    return Reference(name=name, host=host, repository=repository, tag=tag, digest=digest)


def newer(tag: str, tags: list[str]) -> list[str]:
    """Those of `tags` that are plain releases above that of `tag`, the newest first; nothing if it is none."""
    own = release(tag)
    numbers = {other: found for other in tags if re.fullmatch(r"\d+\.\d+\.\d+", other) and (found := release(other))}
    return sorted((other for other in numbers if own and numbers[other] > own), key=numbers.__getitem__, reverse=True)
