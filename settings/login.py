"""Sections `omero.login`, `omero.public` and `omero.downloads`: sessions, people without an account, and what they may
take away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from settings.fields import Like, OmeroUser, SecretArn, Settings
from settings.properties import written
from settings.text import yaml_value

_SECOND = 1000
"""Milliseconds, in which OMERO.server counts."""


def _regular_expression(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{yaml_value(value)} is no regular expression: {error}") from None
    return value


class Login(Settings):
    """How long people stay logged in, and what guessing a password costs. What is left out is as OMERO has it."""

    idle_minutes: Annotated[int, Field(ge=5, le=1440)] = 10
    """Minutes without a request after which OMERO asks for the password again. A browser that is open with OMERO.web
    sends one each minute."""
    max_hours: Annotated[int, Field(ge=1, le=720)] = 24
    """Hours after which OMERO.web asks for the password again in any case."""
    end_with_browser: bool = True
    """True forgets who is logged in to OMERO.web when the browser is closed."""
    failures: Annotated[int, Field(ge=1, le=100)] = 1
    """Wrong passwords after which each further one of a user has to wait."""
    failure_seconds: Annotated[int, Field(ge=1, le=60)] = 3
    """Seconds for which OMERO.server lets it wait."""
    text: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """What OMERO.web says about a wrong name or password, for instance whom to ask; left out, OMERO's own words."""
    logo: Annotated[str, Like(r"(https://|/)\S{1,500}", "address of a picture", "/static/lab/logo.png")] | None = None
    """The picture above the log-in form; left out, OMERO's own."""
    client_downloads: bool = True
    """True shows links to OMERO.insight below the form."""

    def server_properties(self) -> Mapping[str, str]:
        """OMERO.server's."""
        return {
            "omero.security.login_failure_throttle_count": str(self.failures),
            "omero.security.login_failure_throttle_time": str(self.failure_seconds * _SECOND),
            "omero.sessions.timeout": str(self.idle_minutes * 60 * _SECOND),
        }

    def web_properties(self) -> Mapping[str, str]:
        """OMERO.web's."""
        return {
            "omero.web.login.show_client_downloads": written(self.client_downloads),
            "omero.web.session_cookie_age": str(self.max_hours * 3600),
            "omero.web.session_expire_at_browser_close": written(self.end_with_browser),
            **({"omero.web.login_incorrect_credentials_text": self.text} if self.text else {}),
            **({"omero.web.login_logo": self.logo} if self.logo else {}),
        }


class Public(Settings):
    """People without an account see what one user of OMERO may see, on a read-only server, and change nothing."""

    user: OmeroUser
    """The OMERO user that they are: a member of read-only groups alone, and no administrator."""
    password_arn: SecretArn
    """ARN of the secret with that user's password, encrypted with the data key."""
    url_filter: Annotated[str, AfterValidator(_regular_expression), Field(min_length=1, max_length=1000)] = (
        "^/(webgateway|iviewer|webclient/img_detail)"
    )
    """Regular expression for the paths that they may open; left out, those of viewers and thumbnails."""

    def web_properties(self) -> Mapping[str, str]:
        """OMERO.web's; the first server of its list writes, and the second is the first read-only one."""
        return {
            "omero.web.public.enabled": "true",
            "omero.web.public.get_only": "true",
            "omero.web.public.server_id": "2",
            "omero.web.public.url_filter": self.url_filter,
            "omero.web.public.user": self.user,
        }

    def secrets(self) -> Mapping[str, str]:
        """ARNs of secrets, by OMERO.web's property."""
        return {"omero.web.public.password": self.password_arn}


class Downloads(Settings):
    """What people may take away by OMERO's clients."""

    originals: bool = True
    """False lets nobody but administrators and owners download the files that were imported."""
    max_mib: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """MiB of original files that OMERO.web packs into one archive."""
    max_megapixels: Annotated[int, Field(ge=1, le=2000)] = 144
    """Millions of pixels up to which clients save an image as JPEG, PNG or TIFF."""

    def server_properties(self) -> Mapping[str, str]:
        """OMERO.server's."""
        return {
            "omero.client.download_as.max_size": str(self.max_megapixels * 1_000_000),
            **({} if self.originals else {"omero.policy.binary_access": "-read,+write,+image"}),
        }

    def web_properties(self) -> Mapping[str, str]:
        """OMERO.web's."""
        return {"omero.web.maximum_multifile_download_size": str(self.max_mib * 1024 * 1024)}
