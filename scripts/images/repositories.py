"""What is in ECR: images with their tags, digests and scans."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contract import images
from scripts import aws
from scripts.ingest.deployment import DeployedWorkspace

# ECR's own order (API reference, FindingSeverity).
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image of a repository. `findings` counts what its scan found, by severity; None if it is not scanned.

    `used_by`: the keys of the workspace that name it.
    """

    role: str
    tags: tuple[str, ...]
    digest: str
    pushed: datetime
    findings: Mapping[str, int] | None
    scan: str
    used_by: tuple[str, ...]

    @property
    def found(self) -> str:
        """What its scan says, in short."""
        if self.findings is None:
            return self.scan
        counts = [f"{self.findings[each]} {each.lower()}" for each in SEVERITIES if self.findings.get(each)]
        return ", ".join(counts) or "nothing found"


def digest(ecr: Any, repository: str, tag: str, *, account: str | None = None) -> str | None:
    """The digest of a tag; None where the repository has no such tag."""
    whose = {"registryId": account} if account else {}
    found: Any = aws.read(
        lambda: ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}], **whose),
        "ImageNotFoundException",
    )
    return str(found["imageDetails"][0]["imageDigest"]) if found else None


def listed(deployed: DeployedWorkspace) -> list[Image]:
    """The images in the workspace's repositories, the newest of each first."""
    workspace, ecr = deployed.workspace, deployed.client("ecr")
    named = images.named(workspace)
    found: list[Image] = []
    for role in images.recipes(workspace):
        repository = images.repository(workspace.name, role)
        rows = aws.read(functools.partial(_rows, ecr, repository), "RepositoryNotFoundException")
        made = [_image(role, repository, row, named) for row in rows or ()]
        found += sorted(made, key=lambda image: image.pushed, reverse=True)
    return found


def _rows(ecr: Any, repository: str) -> list[Any]:
    return list(aws.rows(ecr, "describe_images", "imageDetails", repositoryName=repository))


def _image(role: str, repository: str, row: Mapping[str, Any], named: Mapping[str, str]) -> Image:
    tags = tuple(row.get("imageTags", ()))
    scanned = row.get("imageScanFindingsSummary")
    return Image(
        role=role,
        tags=tags,
        digest=row["imageDigest"],
        pushed=row["imagePushedAt"],
        findings=None if scanned is None else scanned.get("findingSeverityCounts", {}),
        scan=str(row.get("imageScanStatus", {}).get("status", "not scanned")).lower(),
        used_by=tuple(key for key, image in named.items() if _is(image, repository, row["imageDigest"], tags)),
    )


def _is(image: str, repository: str, digest_: str, tags: tuple[str, ...]) -> bool:
    name, _, pinned = image.partition("@")
    last = name.rpartition("/")[2]
    if pinned:
        return last.partition(":")[0] == repository and pinned == digest_
    return any(last == f"{repository}:{tag}" for tag in tags)
