"""Section `sign_in`: people sign in at an identity provider (OpenID Connect) before they reach OMERO.web."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from settings.fields import Fault, Like, OmeroUser, SecretArn, Settings, rule

# Groups that OMERO itself has, with rights of their own or none (its IAdmin, SecurityRoles).
OWN_GROUPS = ("system", "user", "guest")

# Elastic Load Balancing wants the protocol, the domain and the path (API reference, AuthenticateOidcActionConfig).
Url = Annotated[
    str,
    Like(
        r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?",
        "HTTPS address, without a query",
        "https://login.example.org/oauth2/token",
    ),
]


def _scope(value: str) -> str:
    if "openid" not in value.split(" "):
        raise ValueError(f"{value} does not ask for openid; give scopes with a blank between them, openid among them")
    return value


class SingleSignOn(Settings):
    """An app of OMERO.web, which opens OMERO's session as the user whom the load balancer has signed in."""

    user_claim: Annotated[str, Like(r"[A-Za-z0-9_.:/-]{1,128}", "name of a claim", "email")]
    """The claim that is the OMERO user's name, as the identity provider's userinfo endpoint gives it. There is no
    default: name one that people cannot change themselves."""
    account: OmeroUser
    """The OMERO administrator by whose rights sessions are opened: one with the privilege Sudo alone; with
    `new_user_group`, ModifyUser and ModifyGroupMembership as well."""
    password_arn: SecretArn
    """ARN of the secret with that user's password, encrypted with the data key or with AWS's own."""
    new_user_group: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """The OMERO group in which users are created whom OMERO does not know yet; left out, they are refused."""

    @rule
    def _not_root(self) -> Iterator[Fault]:
        if self.account == "root":
            yield (
                "account",
                "root may do everything, and its password would be in OMERO.web; create an administrator with the "
                "privilege Sudo alone (docs/sign-in.md)",
            )

    @rule
    def _no_group_of_omeros_own(self) -> Iterator[Fault]:
        if self.new_user_group in OWN_GROUPS:
            yield (
                "new_user_group",
                f"{self.new_user_group} is a group of OMERO's own; give one of yours, or remove the key",
            )


class SignIn(Settings):
    """The load balancer signs people in at an identity provider (`omero-aws sign-in`).

    By itself it stands before all of OMERO.web, whose own log-in follows. With `single_sign_on` it is OMERO's log-in.
    """

    issuer: Url
    """The identity provider's issuer, exactly as its `/.well-known/openid-configuration` has it: `omero-aws sign-in
    discover ISSUER` prints it and the three endpoints."""
    authorization_endpoint: Url
    """Where browsers are sent to sign in."""
    token_endpoint: Url
    """Where the load balancer asks for tokens; its name has to resolve publicly, to IPv4 addresses."""
    userinfo_endpoint: Url
    """Where the load balancer asks who somebody is; its name has to resolve publicly, to IPv4 addresses."""
    client_id: Annotated[str, Like(r"\S{1,256}", "client id: 1 to 256 characters without blanks", "omero-web")]
    """The id that the identity provider gave this OMERO.web."""
    client_secret_arn: SecretArn
    """ARN of the secret that holds the client secret and nothing else. `omero-aws sign-in ensure` reads it; it is in no
    state."""
    scope: Annotated[str, AfterValidator(_scope), Field(max_length=512)] = "openid email"
    """What the load balancer asks the identity provider for, with a blank between scopes."""
    session_hours: Annotated[int, Field(ge=1, le=168)] = 8
    """Hours until people have to sign in again. For so long, somebody who has left may still get in."""
    single_sign_on: SingleSignOn | None = None
    """Makes this OMERO's log-in; left out, OMERO's own log-in follows."""
