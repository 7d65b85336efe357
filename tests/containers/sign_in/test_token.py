"""What the app believes of the header `x-amzn-oidc-data`: our balancer's tokens, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from containers.sign_in import token
from containers.sign_in.token import NoName, Untrusted
from tests.containers.sign_in.balancer_help import CLAIMS, EXPECTED, KID, NOW, Balancer, encoded, header

OURS, OTHER = Balancer(), Balancer()


def read(text: str, *, asked: list[str] | None = None) -> dict[str, Any]:
    def key_of(kid: str) -> str:
        (asked if asked is not None else []).append(kid)
        return OURS.pem

    return token.claims(text, EXPECTED, key_of, NOW)


@pytest.mark.parametrize("padded", [True, False], ids=["padded", "unpadded"])
def test_believes_our_balancer(padded: bool) -> None:
    asked: list[str] = []
    assert read(OURS.token(padded=padded), asked=asked) == CLAIMS
    assert asked == [KID]


def _unsigned(**changes: Any) -> str:
    return f"{encoded(json.dumps(header(**changes)).encode())}.{encoded(json.dumps(CLAIMS).encode())}."


def _tampered() -> str:
    first, _, last = OURS.token().split(".")
    return f"{first}.{encoded(json.dumps({**CLAIMS, 'email': 'eve@example.org'}).encode())}.{last}"


HOSTILE: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "two parts": lambda: OURS.token().rpartition(".")[0],
    "alg none": lambda: _unsigned(alg="none"),
    "alg none, signed": lambda: OURS.token(alg="none"),
    "alg HS256": lambda: OURS.token(alg="HS256"),
    "no alg": lambda: OURS.token(alg=None),
    "signer": lambda: OURS.token(signer=EXPECTED.signer.replace("123456789012", "210987654321")),
    "signer as a list": lambda: OURS.token(signer=[EXPECTED.signer]),
    "issuer": lambda: OURS.token(iss="https://login.example.org/realm/"),
    "client": lambda: OURS.token(client="another"),
    "expired": lambda: OURS.token(exp=NOW - 1),
    "ends now": lambda: OURS.token(exp=NOW),
    "ends far from now": lambda: OURS.token(exp=NOW + 604_801),
    "ends as text": lambda: OURS.token(exp=str(NOW + 120)),
    "ends as a fraction": lambda: OURS.token(exp=NOW + 120.5),
    "ends never": lambda: OURS.token(exp=None),
    "ends truly": lambda: OURS.token(exp=True),
    "kid elsewhere": lambda: OURS.token(kid="../../../evil.example.org/key"),
    "kid with a line": lambda: OURS.token(kid=f"{KID}\n"),
    "kid too short": lambda: OURS.token(kid="12345678"),
    "kid as a number": lambda: OURS.token(kid=7),
    "other key": OTHER.token,
    "DER signature": lambda: OURS.token(der=True),
    "tampered": _tampered,
    "claims no object": lambda: OURS.token(claims=["alice"]),
    "claims no JSON": lambda: OURS.token(text="alice"),
    "claims nested": lambda: OURS.token(text="[" * 100_000),
    "stray characters": lambda: OURS.token().replace(".", ".!", 1),
    "no base64": lambda: OURS.token().replace(".", "A.", 1),
    "blanks": lambda: f" {OURS.token()}",
    "not ASCII": lambda: OURS.token() + "é",
    "too long": lambda: OURS.token(claims={**CLAIMS, "groups": "x" * 20_000}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_refuses_a_token_that_is(kind: str) -> None:
    with pytest.raises(Untrusted):
        read(HOSTILE[kind]())


def test_asks_for_no_key_that_a_stranger_names() -> None:
    """Whatever can be compared is compared first: what is left to a stranger is one UUID at AWS's own address."""
    for kind in HOSTILE.keys() - {"other key", "DER signature", "tampered"}:
        asked: list[str] = []
        with pytest.raises(Untrusted):
            read(HOSTILE[kind](), asked=asked)
        assert not asked, kind


def test_what_comes_instead_of_a_key_is_no_key() -> None:
    with pytest.raises(Untrusted, match="cannot be used"):
        token.claims(OURS.token(), EXPECTED, lambda kid: "<Error><Code>AccessDenied</Code></Error>", NOW)


def test_a_key_that_cannot_be_had_is_no_verdict() -> None:
    def down(kid: str) -> str:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        token.claims(OURS.token(), EXPECTED, down, NOW)


@pytest.mark.parametrize(
    ("said", "claim"),
    [
        ({}, "email"),
        ({"email": None}, "email"),
        ({"email": ""}, "email"),
        ({"email": ["a"]}, "email"),
        ({"sub": 7}, "sub"),
        ({"email": " alice"}, "email"),
        ({"email": "al\nice"}, "email"),
        ({"email": "a" * 256}, "email"),
        ({"email": "alice@example.org", "email_verified": False}, "email"),
        ({"email": "alice@example.org", "email_verified": "false"}, "email"),
    ],
)
def test_a_claim_that_names_nobody_is_refused(said: dict[str, Any], claim: str) -> None:
    with pytest.raises(NoName):
        token.name_of(said, claim)


def test_a_claim_is_the_name_as_it_is() -> None:
    assert token.name_of(CLAIMS, "email") == "alice@example.org"
    assert token.name_of({"email": "a@b.org", "email_verified": "true"}, "email") == "a@b.org"
    assert token.name_of({"upn": "Ångström", "email_verified": False}, "upn") == "Ångström"
