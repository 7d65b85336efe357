"""Section `images`: container images of one's own, OME's with packages added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from settings.fields import Distinct, Fault, PinnedImage, RetentionDays, Settings, rule
from settings.omero import Server, Web
from settings.pins import ServerImage
from settings.section import ExistingBucket, Section

_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# Names and versions as PyPA's specifications have them, without extras: nothing is installed that is not listed.
_PIN = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==[A-Za-z0-9][A-Za-z0-9.!+_-]*")


def _locked(value: str) -> str:
    pin, *hashes = value.split() or [""]
    if not _PIN.fullmatch(pin):
        raise ValueError(f"{value!r} names no exact version; give name==version, as `omero-aws images lock` prints it")
    if not hashes or not all(map(_HASH.fullmatch, hashes)):
        raise ValueError(
            f"{pin} needs the SHA-256 of its file, as --hash=sha256: and 64 hex digits; `omero-aws images lock {pin}` "
            "prints it"
        )
    return " ".join((pin, *hashes))


def package_name(locked: str) -> str:
    """The name of a locked package, in the one spelling that PyPI compares.

    Raises:
        ValueError: it is none.
    """
    if not (found := _PIN.match(locked)):
        raise ValueError(locked)
    return re.sub(r"[-_.]+", "-", found["name"]).lower()


Packages = Annotated[
    tuple[Annotated[str, AfterValidator(_locked)], ...], Field(min_length=1, max_length=200), Distinct(package_name)
]


class WebImage(Settings):
    """OMERO.web with apps of one's own. `omero.web.image` says which image runs."""

    base: PinnedImage = Web.model_fields["image"].default
    """The image that packages are added to. It is built only with a digest; `omero-aws images pin` adds it."""
    packages: Packages
    """Python packages that are added, each with its version and hash, as `omero-aws images lock` prints them. Nothing
    else is installed: a package that one of them needs and the image lacks has to be listed too."""


class OmeroServerImage(Settings):
    """OMERO.server with plugins of one's own. `omero.server.image` says which image runs."""

    base: ServerImage = Server.model_fields["image"].default
    """The image that packages are added to. It is built only with a digest; `omero-aws images pin` adds it."""
    packages: Packages
    """Python packages that are added, as for `web`."""


class Images(Section):
    """ECR repositories for images of one's own, and the CodeBuild projects that build them (`omero-aws images`)."""

    web: WebImage | None = None
    """An image of OMERO.web; left out, none."""
    server: OmeroServerImage | None = None
    """An image of OMERO.server; left out, none."""
    log_retention_days: RetentionDays = 365
    """Days for which the logs of builds are kept; with `retain: true`, even after the stack is destroyed."""

    @rule
    def _builds_something(self) -> Iterator[Fault]:
        if self.web is None and self.server is None:
            yield "web", "there is nothing to build; give images.web or images.server, or remove images"

    @property
    def all(self) -> dict[str, WebImage | OmeroServerImage]:
        """The images that are given, by `web` or `server`."""
        given = {"web": self.web, "server": self.server}
        return {role: image for role, image in given.items() if image}

    def addresses(self) -> int:
        return 0

    def arns(self) -> dict[str, str | None]:
        return {}

    def folders(self) -> dict[str, str]:
        return {}

    def buckets(self) -> dict[str, ExistingBucket]:
        return {}

    def keeps_anything(self) -> bool:
        return True

    def share(self) -> str | None:
        return None
