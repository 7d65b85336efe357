"""What the section `sign_in` says when it is left alone, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from settings.sign_in import SignIn
from tests.conftest import merged, workspace

SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:sign-in-a1B2c3"
TLS = {"tls": {"domain_name": "omero.example.org", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"}, "topology": "rw-tls"}
LEAST: dict[str, Any] = {
    "issuer": "https://login.example.org/realm",
    "authorization_endpoint": "https://login.example.org/realm/authorize",
    "token_endpoint": "https://login.example.org/realm/token",
    "userinfo_endpoint": "https://login.example.org/realm/userinfo",
    "client_id": "omero-web",
    "client_secret_arn": SECRET,
}
SINGLE: dict[str, Any] = {"user_claim": "email", "account": "sign-in", "password_arn": SECRET}


def test_there_is_none_unless_asked_for() -> None:
    assert workspace().sign_in is None


def test_stands_before_omeros_own_log_in_and_lasts_a_working_day() -> None:
    settings = SignIn.model_validate(LEAST)
    assert (settings.scope, settings.session_hours, settings.single_sign_on) == ("openid email", 8, None)


def test_makes_no_users_unless_asked_to() -> None:
    settings = SignIn.model_validate({**LEAST, "single_sign_on": SINGLE})
    assert settings.single_sign_on
    assert settings.single_sign_on.new_user_group is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "http://login.example.org"}, "is not a valid HTTPS address, without a query"),
        ({"token_endpoint": "https://login.example.org/token?x=1"}, "is not a valid HTTPS address"),
        ({"userinfo_endpoint": "login.example.org"}, "one looks like https://login.example.org"),
        ({"client_id": ""}, "is not a valid client id"),
        ({"client_secret_arn": "hunter2"}, "is not a valid ARN of a Secrets Manager secret"),
        ({"scope": "email profile"}, "email profile does not ask for openid"),
        ({"session_hours": 0}, "greater than or equal to 1"),
        ({"session_hours": 169}, "less than or equal to 168"),
        ({"client_secret": "hunter2"}, "Extra inputs"),
        ({"single_sign_on": {**SINGLE, "account": "root"}}, "root may do everything"),
        ({"single_sign_on": {**SINGLE, "user_claim": "e mail"}}, "is not a valid name of a claim"),
        ({"single_sign_on": {**SINGLE, "new_user_group": "system"}}, "system is a group of OMERO's own"),
        ({"single_sign_on": {**SINGLE, "new_user_group": "guest"}}, "guest is a group of OMERO's own"),
    ],
)
def test_refuses(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SignIn.model_validate({**LEAST, **changes})


@pytest.mark.parametrize("missing", [*LEAST, "user_claim", "account", "password_arn"])
def test_has_no_default_for_who_signs_in_where(missing: str) -> None:
    given = {**LEAST, "single_sign_on": {key: value for key, value in SINGLE.items() if key != missing}}
    given.pop(missing, None)
    with pytest.raises(ValidationError, match=missing):
        SignIn.model_validate(given)


def test_needs_https() -> None:
    with pytest.raises(ValidationError, match=r"sign_in\n  a load balancer signs people in over HTTPS only; add"):
        workspace(sign_in=LEAST)
    assert workspace(**TLS, sign_in=LEAST).sign_in


@pytest.mark.parametrize("key", ["client_secret_arn", "single_sign_on.password_arn"])
def test_secrets_are_of_the_region(key: str) -> None:
    first, _, second = key.partition(".")
    elsewhere = SECRET.replace("eu-central-1", "eu-west-1")
    given = merged({**LEAST, "single_sign_on": SINGLE}, {first: {second: elsewhere} if second else elsewhere})
    with pytest.raises(ValidationError, match=rf"sign_in\.{key}\n  the ARN is in region eu-west-1"):
        workspace(**TLS, sign_in=given)


def test_single_sign_on_needs_keys_whose_place_is_known() -> None:
    china = {**TLS, "region": "cn-north-1"}
    secret = SECRET.replace("aws:", "aws-cn:", 1).replace("eu-central-1", "cn-north-1")
    given = {**LEAST, "client_secret_arn": secret}
    assert workspace(**china, sign_in=given)
    with pytest.raises(ValidationError, match="AWS does not document where the public keys"):
        workspace(**china, sign_in={**given, "single_sign_on": {**SINGLE, "password_arn": secret}})
