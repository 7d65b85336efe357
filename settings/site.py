"""What a workspace sets of OMERO's own properties: by the sections that nearly everyone needs, and by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from settings.fields import Fault
from settings.ldap import Ldap
from settings.login import Downloads, Login, Public
from settings.mail import Mail
from settings.properties import written


@dataclass(frozen=True, kw_only=True)
class SiteProperties:
    """By the property's name: text, lists that are appended to what OMERO has, and ARNs of secrets."""

    values: Mapping[str, str]
    appended: Mapping[str, Sequence[Any]]
    secrets: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Sections:
    """Those of `omero` that set properties."""

    ldap: Ldap | None
    mail: Mail | None
    public: Public | None
    login: Login | None
    downloads: Downloads | None

    def server(self) -> Mapping[str, Mapping[str, str]]:
        """What each sets of OMERO.server, secrets as their ARNs."""
        return {
            **({"omero.ldap": {**self.ldap.properties(), **self.ldap.secrets()}} if self.ldap else {}),
            **({"omero.mail": {**self.mail.properties(), **self.mail.secrets()}} if self.mail else {}),
            **({"omero.login": self.login.server_properties()} if self.login else {}),
            **({"omero.downloads": self.downloads.server_properties()} if self.downloads else {}),
        }

    def web(self) -> Mapping[str, Mapping[str, str]]:
        """What each sets of OMERO.web, secrets as their ARNs. Without mail, nobody gets a new password by it."""
        forgot = {"omero.web.show_forgot_password": written(self.mail is not None)}
        return {
            "omero.mail": forgot,
            **({"omero.public": {**self.public.web_properties(), **self.public.secrets()}} if self.public else {}),
            **({"omero.login": self.login.web_properties()} if self.login else {}),
            **({"omero.downloads": self.downloads.web_properties()} if self.downloads else {}),
        }

    def secrets(self) -> Mapping[str, str]:
        """ARNs of all secrets that they name, by property."""
        return {
            name: arn for each in (self.ldap, self.mail, self.public) if each for name, arn in each.secrets().items()
        }

    def faults(self, key: str, given: Iterator[str], own: Mapping[str, Mapping[str, str]]) -> Iterator[Fault]:
        """What of the properties at `key` a section of `own` sets, or would have to: it opens the way besides."""
        wanted = {"omero.ldap.": self.ldap, "omero.mail.": self.mail, "omero.web.public.": self.public}
        for name in given:
            section = next((section for section, values in own.items() if name in values), None)
            start = next((start for start, there in wanted.items() if name.startswith(start) and there is None), None)
            if section:
                yield f"{key}.{name}", f"is set by {section}; leave one of them out"
            elif start:
                named = start.replace(".web", "").removesuffix(".")
                yield f"{key}.{name}", f"needs the section {named}, which sets what belongs to it; give that"


def merged(
    own: Mapping[str, Mapping[str, str]],
    secrets: Mapping[str, str],
    values: Mapping[str, Any],
    lists: Mapping[str, Sequence[Any]],
    named: Mapping[str, str],
) -> SiteProperties:
    """What sections set (`own`, of which `secrets` are the ARNs), and what is set by name."""
    of_sections = {name: value for each in own.values() for name, value in each.items()}
    return SiteProperties(
        values={
            **{name: value for name, value in of_sections.items() if name not in secrets},
            **{name: written(value) for name, value in values.items()},
        },
        appended=lists,
        secrets={**{name: arn for name, arn in secrets.items() if name in of_sections}, **named},
    )
