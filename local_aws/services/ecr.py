"""ECR: digests of images, and scans on push.

moto 5.2.5 makes an image's digest of its layers', where a registry takes the SHA-256 of the manifest's bytes (OCI
distribution specification, "Pulling manifests"); it does not scan what is pushed to a repository with `scanOnPush`, and
DescribeImages does not show scans. Here a scan is complete at once, and finds nothing, unless moto's own
`scan-finding-results` say otherwise.
"""

from __future__ import annotations

import hashlib
from typing import Any

from moto.core.utils import utcnow
from moto.ecr.models import ECRBackend, Image

Json = dict[str, Any]


def install() -> None:
    """Put it into moto's models. A second time changes nothing."""
    if hasattr(Image, "image_scan_status"):
        return
    put = ECRBackend.put_image

    def create_digest(self: Any) -> None:
        self._image_digest = f"sha256:{hashlib.sha256(self.image_manifest.encode()).hexdigest()}"

    def put_image(self: Any, repository_name: str, *arguments: Any, **named: Any) -> Any:
        image = put(self, repository_name, *arguments, **named)
        if self.repositories[repository_name].image_scanning_configuration.get("scanOnPush"):
            image.last_scan = utcnow()
            image._severities = _severities(self, repository_name)
        return image

    Image._create_digest = create_digest
    ECRBackend.put_image = put_image
    Image.image_scan_status = property(_status)
    Image.image_scan_findings_summary = property(_summary)


def _severities(backend: Any, repository: str) -> Json:
    results = (each for each in backend.scan_finding_results if each["repositoryName"] == repository)
    return next((each["imageScanFindings"]["findingSeverityCounts"] for each in results), {})


def _status(image: Any) -> Json | None:
    return {"status": "COMPLETE", "description": "The scan was completed successfully."} if image.last_scan else None


def _summary(image: Any) -> Json | None:
    if not image.last_scan:
        return None
    return {
        "imageScanCompletedAt": image.last_scan,
        "vulnerabilitySourceUpdatedAt": image.last_scan,
        "findingSeverityCounts": image._severities,
    }
