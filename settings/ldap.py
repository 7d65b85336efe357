"""Section `omero.ldap`: people log in with the password of a directory."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from settings.fields import Cidr, Distinct, Fault, SecretArn, Settings, network_of, rule
from settings.properties import written
from settings.text import yaml_value

CA_CHARACTERS = 8_192
"""Of certificates in a workspace; a chain of three has about 6,000."""
TRUST_STORE = "/tmp/omero-trust-store"  # noqa: S108 - in the container
"""What Java trusts: containers/directory.sh makes it of what the image's Java does and `ca_certificate`."""


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        fits = (parts.scheme, parts.path, parts.query) == ("ldaps", "", "") and parts.hostname and "@" not in value
        port = parts.port or 636
    except ValueError:
        fits, port = False, 0
    if not fits or any(character.isspace() for character in value):
        shown = "what it has" if "@" in value else yaml_value(value)  # there may be a password
        raise ValueError(f"{shown} is not allowed; give the directory's address, such as ldaps://ldap.example.org")
    return f"ldaps://{parts.hostname}:{port}"


def _certificates(value: str) -> str:
    if len(value) > CA_CHARACTERS:
        raise ValueError(f"has {len(value)} characters; give at most {CA_CHARACTERS}, the authority's own alone")
    if "PRIVATE KEY" in value:
        raise ValueError("holds a private key; give certificates alone, and make a new key")
    try:
        ssl.create_default_context(cadata=value.encode("ascii").decode())
    except (ssl.SSLError, UnicodeEncodeError):
        raise ValueError("is no certificate in PEM; it begins with -----BEGIN CERTIFICATE-----") from None
    return f"{value.strip()}\n"


def _filter(value: str) -> str:
    """Parentheses that match, as RFC 4515 has them: one that does not is an error at each log-in."""
    depth = 0
    for character in value:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            break
    if depth or not (value.startswith("(") and value.endswith(")")):
        raise ValueError(f"{yaml_value(value)} is no LDAP filter; one looks like (objectClass=person)")
    return value


def _group(value: str) -> str:
    if value.startswith(":query:") and "@{dn}" in value:
        raise ValueError(
            f"{yaml_value(value)} shuts out everybody whose DN has a comma in a name, for OMERO does not escape it; "
            "give :dn_attribute:memberOf, or the name of one group"
        )
    return value


Filter = Annotated[str, AfterValidator(_filter), Field(max_length=2000)]


class Ldap(Settings):
    """A directory, such as Active Directory. root and other accounts of OMERO's own log in without it, as before."""

    url: Annotated[str, AfterValidator(_url)]
    """The directory's address over TLS: `ldaps://HOST`, with the port if it is not 636."""
    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=20), Distinct(network_of)]
    """Address ranges of the directory: the servers may connect there on the port of `url`. There is no default."""
    ca_certificate: Annotated[str, AfterValidator(_certificates)] | None = None
    """Certificates in PEM of the authority that signed the directory's; left out, one that Java knows."""
    username: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """The DN that OMERO searches as; left out, it searches without logging in."""
    password_arn: SecretArn | None = None
    """ARN of the secret with that DN's password, encrypted with the data key."""
    base: Annotated[str, Field(min_length=1, max_length=500)]
    """The DN below which people and groups are."""
    user_filter: Filter = "(objectClass=person)"
    """Who may log in."""
    user_mapping: Annotated[str, Field(min_length=1, max_length=1000)] = (
        "omeName=uid,firstName=givenName,lastName=sn,email=mail"
    )
    """Which attributes OMERO's come from. In Active Directory, `omeName` is `sAMAccountName`."""
    group_filter: Filter = "(objectClass=groupOfNames)"
    """What is a group; in Active Directory, `(objectClass=group)`."""
    group_mapping: Annotated[str, Field(min_length=1, max_length=1000)] = "name=cn"
    """Which attribute a group's name comes from."""
    new_user_group: Annotated[str, AfterValidator(_group), Field(min_length=1, max_length=1000)] = "default"
    """The OMERO group of a new user, which OMERO makes if there is none; or `:dn_attribute:memberOf` for those of the
    directory."""
    sync_on_login: bool = True
    """True takes names, addresses and groups from the directory at each log-in; groups given in OMERO are lost then."""
    ignore_case: bool = False
    """True takes `ASchmidt` for `aschmidt`. OMERO's user names must be in lower case before."""
    referral: Literal["ignore", "follow", "throw"] = "ignore"
    """What to do where the directory refers to another one."""

    @rule
    def _logs_in(self) -> Iterator[Fault]:
        if self.username and self.password_arn is None:
            yield "password_arn", f"{self.username} needs a password; give the ARN of the secret that holds it"
        if self.password_arn and self.username is None:
            yield "username", "is missing; give the DN whose password that is"

    @rule
    def _maps_the_name(self) -> Iterator[Fault]:
        pairs = [pair.partition("=") for pair in self.user_mapping.split(",")]
        if not all(name.strip() and attribute.strip() for name, _, attribute in pairs):
            yield "user_mapping", f"{yaml_value(self.user_mapping)} is not allowed; give NAME=ATTRIBUTE, with commas"
        elif "omeName" not in {name.strip() for name, _, _ in pairs}:
            yield "user_mapping", "has no omeName; give the attribute that people log in with, such as omeName=uid"

    @property
    def port(self) -> int:
        """The directory's."""
        return urlsplit(self.url).port or 636

    def properties(self) -> Mapping[str, str]:
        """OMERO.server's."""
        return {
            "omero.ldap.base": self.base,
            "omero.ldap.config": "true",
            "omero.ldap.group_filter": self.group_filter,
            "omero.ldap.group_mapping": self.group_mapping,
            "omero.ldap.new_user_group": self.new_user_group,
            "omero.ldap.referral": self.referral,
            "omero.ldap.sync_on_login": written(self.sync_on_login),
            "omero.ldap.urls": self.url,
            "omero.ldap.user_filter": self.user_filter,
            "omero.ldap.user_mapping": self.user_mapping,
            **({"omero.ldap.username": self.username} if self.username else {}),
            **({"omero.security.ignore_case": "true"} if self.ignore_case else {}),
            **(self._trust_store() if self.ca_certificate else {}),
        }

    def _trust_store(self) -> Mapping[str, str]:
        """The password protects nothing: certificates are public, and it is the one that every Java has."""
        return {"omero.security.trustStore": TRUST_STORE, "omero.security.trustStorePassword": "changeit"}

    def secrets(self) -> Mapping[str, str]:
        """ARNs of secrets, by OMERO.server's property."""
        return {"omero.ldap.password": self.password_arn} if self.password_arn else {}
