"""Releases of OMERO.server that are refused, and the images that name one."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from settings.fields import PinnedImage

# Bio-Formats up to 8.3.0 reads files that a crafted Leica XLEF names (CVE-2026-22186), as its record at CVE.org says;
# OMERO.server 5.6.17 was the first with Bio-Formats 8.4.0 (OMERO's version history).
LEAST_SERVER = (5, 6, 17)

_SERVER = re.compile(r"(?:.*/)?openmicroscopy/omero-server:(?P<tag>[\w.-]+)(?:@.*)?")


def release(text: str) -> tuple[int, ...] | None:
    """The numbers that a release or a tag such as `5.6.18-1` begins with, if they are three; None if not."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)(?![\d.])", text)
    return tuple(map(int, found.groups())) if found else None


def too_old(text: str) -> str | None:
    """Why a release of OMERO.server is refused; None if it is not."""
    found = release(text)
    if found is None or found >= LEAST_SERVER:
        return None
    least = ".".join(map(str, LEAST_SERVER))
    return (
        f"OMERO.server {text} lets a crafted image file read other files of the server (CVE-2026-22186); give {least} "
        "or later, for instance 5.6.18"
    )


def _server_image(value: str) -> str:
    found = _SERVER.fullmatch(value)
    if found and (fault := too_old(found["tag"])):
        raise ValueError(f"{value} is refused: {fault}")
    return value


ServerImage = Annotated[PinnedImage, AfterValidator(_server_image)]
"""An image of OMERO.server: a release of OME's own below `LEAST_SERVER` is refused. A digest alone tells no release."""
