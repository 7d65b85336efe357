"""A load balancer that signs: its key, by pyca/cryptography, and the tokens it makes, as its guide describes them."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from containers.sign_in.token import Expected

SIGNER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/omero-lab-web/50dc6c495c0c9188"
EXPECTED = Expected(SIGNER, "https://login.example.org/realm", "omero-web")
KID = "b3a1c0de-0000-4000-8000-00000000000a"
NOW = 1_800_000_000
CLAIMS = {"sub": "7", "email": "alice@example.org", "given_name": "Alice", "family_name": "Ångström"}


def header(**changes: Any) -> dict[str, Any]:
    """The header of a good token, with changes."""
    good = {"typ": "JWT", "kid": KID, "alg": "ES256", "iss": EXPECTED.issuer, "client": EXPECTED.client_id}
    return {**good, "signer": SIGNER, "exp": NOW + 120, **changes}


def encoded(content: bytes, *, padded: bool = True) -> str:
    text = base64.urlsafe_b64encode(content).decode()
    return text if padded else text.rstrip("=")


class Balancer:
    """Signs with a key of its own; `pem` is the public half."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = pem_of(self._key.public_key())

    def token(
        self, claims: Any = None, *, padded: bool = True, der: bool = False, text: str | None = None, **changes: Any
    ) -> str:
        """A token, padded as the balancer's are, with `changes` of its header; `text` instead of claims."""
        said = text if text is not None else json.dumps(CLAIMS if claims is None else claims)
        parts = [encoded(json.dumps(header(**changes)).encode(), padded=padded), encoded(said.encode(), padded=padded)]
        message = ".".join(parts)
        return f"{message}.{encoded(self.signature(message.encode(), der=der), padded=padded)}"

    def signature(self, message: bytes, *, der: bool = False) -> bytes:
        """r and s, as JSON Web Algorithms have them (RFC 7518, 3.4), or in DER."""
        signature = self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        return signature if der else b"".join(each.to_bytes(32, "big") for each in decode_dss_signature(signature))


def pem_of(key: ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
