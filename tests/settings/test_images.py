"""Images of one's own: what the section takes, and which releases of OMERO.server are refused everywhere."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from settings.images import Images
from settings.omero import Server, Web
from settings.upload_host import UploadHost

HASH = f"--hash=sha256:{'0123456789abcdef' * 4}"
FIGURE = f"omero-figure==7.3.0 {HASH}"


def test_what_is_built_begins_with_what_runs() -> None:
    images = Images.model_validate({"web": {"packages": [FIGURE]}, "server": {"packages": [f"omero-upload==1 {HASH}"]}})
    assert images.web is not None
    assert images.server is not None
    assert (images.web.base, images.server.base) == (Web().image, Server().image)
    assert list(images.all) == ["web", "server"]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "there is nothing to build; give images.web or images.server"),
        ({"web": {"packages": []}}, "at least 1 item"),
        ({"web": {"packages": ["omero-figure"]}}, "'omero-figure' names no exact version; give name==version"),
        ({"web": {"packages": [f"omero-figure>=7 {HASH}"]}}, "names no exact version"),
        ({"web": {"packages": [f"omero-figure[export]==7.3.0 {HASH}"]}}, "names no exact version"),
        ({"web": {"packages": ["omero-figure==7.3.0"]}}, "omero-figure==7.3.0 needs the SHA-256 of its file"),
        ({"web": {"packages": ["omero-figure==7.3.0 --hash=md5:abc"]}}, "needs the SHA-256 of its file"),
        ({"web": {"packages": [f"omero-figure==7.3.0 {HASH} --index-url=x"]}}, "needs the SHA-256 of its file"),
        ({"web": {"packages": [f"omero-figure==7.3.0 {HASH}\nomero-x==1 {HASH}"]}}, "needs the SHA-256 of its file"),
        ({"web": {"packages": [FIGURE, FIGURE.replace("-figure", "_Figure")]}}, "is already in the list, as entry 0"),
        ({"web": {"base": "example/web:latest", "packages": [FIGURE]}}, "is not pinned; give a version tag"),
        ({"server": {"base": "openmicroscopy/omero-server:5.6.16", "packages": [FIGURE]}}, "CVE-2026-22186"),
    ],
)
def test_refuses(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("[", r"\[")):
        Images.model_validate(section)


@pytest.mark.parametrize(
    "image",
    [
        "openmicroscopy/omero-server:5.6.16",
        "openmicroscopy/omero-server:5.6.9-1",
        "docker.io/openmicroscopy/omero-server:5.5.1",
        f"mirror.example.org:5000/ome/openmicroscopy/omero-server:5.6.16@sha256:{'a' * 64}",
    ],
)
def test_refuses_a_server_that_reads_what_a_crafted_image_names(image: str) -> None:
    with pytest.raises(ValidationError, match=r"CVE-2026-22186\); give 5\.6\.17 or later"):
        Server(image=image)


@pytest.mark.parametrize(
    "image",
    [
        "openmicroscopy/omero-server:5.6.17",
        "openmicroscopy/omero-server:5.6.18-2",
        "openmicroscopy/omero-server:5.7.0",
        # These tell no release; a site's own numbers are its own.
        "openmicroscopy/omero-server:5.6",
        f"openmicroscopy/omero-server@sha256:{'a' * 64}",
        "111122223333.dkr.ecr.eu-west-1.amazonaws.com/lab-server:1.0.0",
    ],
)
def test_takes_all_others(image: str) -> None:
    assert Server(image=image).image == image


def test_refuses_an_importer_that_does() -> None:
    with pytest.raises(ValidationError, match=r"OMERO\.server 5\.6\.16 lets a crafted image file"):
        UploadHost(importer_version="5.6.16")
