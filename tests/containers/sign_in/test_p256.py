"""Signatures on P-256: pyca/cryptography (OpenSSL) is asked the same, and both have to answer alike."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from containers.sign_in import p256
from tests.containers.sign_in.balancer_help import Balancer, pem_of

MESSAGE = b"a header and claims"


def witness(pem_key: ec.EllipticCurvePublicKey, message: bytes, r: int, s: int) -> bool:
    try:
        pem_key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def both(key: ec.EllipticCurvePublicKey, message: bytes, r: int, s: int) -> bool:
    """What both say of r and s, which have to fit into 32 bytes."""
    ours = p256.is_signed(message, r.to_bytes(32, "big") + s.to_bytes(32, "big"), p256.public_key(pem_of(key)))
    assert ours == witness(key, message, r, s), (hex(r), hex(s))
    return ours


def split(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def test_takes_what_another_library_signs_and_nothing_else() -> None:
    for number in range(20):
        balancer, message = Balancer(), MESSAGE * number
        r, s = split(balancer.signature(message))
        key = balancer._key.public_key()
        assert both(key, message, r, s)
        assert both(key, message, r, p256.N - s), "the other of the two signatures that each message has"
        assert not both(key, message + b".", r, s)
        assert not both(Balancer()._key.public_key(), message, r, s)
        assert not both(key, message, s, r)


@pytest.mark.parametrize("edge", [0, 1, 2, p256.N - 1, p256.N, p256.N + 1, p256.P, p256.P - p256.N, 2**256 - 1])
def test_numbers_at_the_edge_are_judged_as_by_another_library(edge: int) -> None:
    """Of these kinds are the vectors of Wycheproof (C2SP/wycheproof, ecdsa_secp256r1_sha256_p1363_test.json)."""
    balancer = Balancer()
    key, (r, s) = balancer._key.public_key(), split(balancer.signature(MESSAGE))
    for one, other in ((edge, s), (r, edge), (edge, edge), (edge, 1), (1, edge)):
        assert not both(key, MESSAGE, one, other)


@pytest.mark.parametrize("scalar", [1, 2, 3, p256.N - 1, p256.N - 2, (p256.N + 1) // 2])
def test_keys_near_the_generator_are_judged_alike(scalar: int) -> None:
    """Sums of equal and of opposite points come up with these."""
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    for number in range(4):
        message = MESSAGE + bytes([number])
        digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
        # k = 1 makes r the generator's own x; s follows from the private key (FIPS 186-5, 6.4.1).
        r = p256.G[0] % p256.N
        s = (digest + r * scalar) % p256.N
        assert both(private.public_key(), message, r, s)
        assert not both(private.public_key(), message, r, (s + 1) % p256.N)


def test_random_numbers_are_no_signatures() -> None:
    drawn = random.Random(15)
    balancer = Balancer()
    for _ in range(20):
        assert not both(balancer._key.public_key(), MESSAGE, drawn.randrange(1, p256.N), drawn.randrange(1, p256.N))


def test_a_signature_has_64_bytes() -> None:
    balancer = Balancer()
    key, signature = p256.public_key(balancer.pem), balancer.signature(MESSAGE)
    for wrong in (b"", signature[:-1], signature + b"\0", b"\0" + signature, balancer.signature(MESSAGE, der=True)):
        assert not p256.is_signed(MESSAGE, wrong, key)


def test_refuses_what_is_no_key_of_the_curve() -> None:
    other = pem_of(ec.generate_private_key(ec.SECP384R1()).public_key())
    good = Balancer().pem
    flipped = good.replace("PUBLIC", "PRIVATE")
    for pem in ("", "<html>", other, flipped, good.replace("=", ""), good.replace("\n", "!\n", 2)):
        with pytest.raises(ValueError, match="no public key of the curve"):
            p256.public_key(pem)


def test_refuses_a_point_off_the_curve() -> None:
    """Else a key could be chosen with which anything is signed ("invalid curve")."""

    def pem(x: int, y: int) -> str:
        der = p256.SPKI + x.to_bytes(32, "big") + y.to_bytes(32, "big")
        return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"

    assert p256.public_key(pem(*p256.G)) == p256.G
    for x, y in ((p256.G[0], p256.G[1] + 1), (0, 0), (p256.P, p256.G[1]), (2**256 - 1, 2**256 - 1)):
        with pytest.raises(ValueError, match="no point of the curve"):
            p256.public_key(pem(x, y))
