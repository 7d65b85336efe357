"""ECDSA on the curve P-256 with SHA-256: checks signatures, and makes none.

All that it sees is public, so nothing here has to take the same time for every value. The numbers of the curve are
those of NIST SP 800-186, 3.2.1.3; what is checked is in FIPS 186-5, 6.4.2.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
A = -3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
# What comes before the two coordinates of an uncompressed point in a SubjectPublicKeyInfo (RFC 5480, 2).
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")

Point = tuple[int, int]
# X, Y and Z of a point whose coordinates are X/Z^2 and Y/Z^3; Z is 0 for the point at infinity.
_Jacobian = tuple[int, int, int]
_INFINITY = (1, 1, 0)


def public_key(pem: str) -> Point:
    """The point of a public key in PEM, as the load balancer's keys are.

    Raises:
        ValueError: it is no key of this curve.
    """
    found = PEM.fullmatch(pem)
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True) if found else b""
    except binascii.Error:
        der = b""
    if len(der) != len(SPKI) + 64 or not der.startswith(SPKI):
        raise ValueError("this is no public key of the curve P-256 in PEM")
    x, y = int.from_bytes(der[-64:-32], "big"), int.from_bytes(der[-32:], "big")
    if not (x < P and y < P and (y * y - (x * x * x + A * x + B)) % P == 0):
        raise ValueError("the public key is no point of the curve P-256")
    return x, y


def is_signed(message: bytes, signature: bytes, key: Point) -> bool:
    """Whether `signature`, r and s of 32 bytes each, is that of `message` by the private half of `key`."""
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < N and 0 < s < N):
        return False
    inverse = pow(s, -1, N)
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    x = _x_of_sum(digest * inverse % N, r * inverse % N, key)
    return x is not None and x % N == r


def _x_of_sum(of_g: int, of_key: int, key: Point) -> int | None:
    """The x of `of_g` times G and `of_key` times `key`; None at infinity. Both are doubled together."""
    g, q = (*G, 1), (*key, 1)
    added = {(1, 0): g, (0, 1): q, (1, 1): _sum(g, q)}
    at: _Jacobian = _INFINITY
    for bit in range(255, -1, -1):
        at = _double(at)
        bits = (of_g >> bit & 1, of_key >> bit & 1)
        if bits in added:
            at = _sum(at, added[bits])
    x, _, z = at
    return None if z == 0 else x * pow(z, -2, P) % P


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if z == 0 or y == 0:
        return _INFINITY
    square = y * y % P
    middle = 4 * x * square % P
    slope = 3 * (x - z * z) * (x + z * z) % P
    new_x = (slope * slope - 2 * middle) % P
    return new_x, (slope * (middle - new_x) - 8 * square * square) % P, 2 * y * z % P


def _sum(one: _Jacobian, other: _Jacobian) -> _Jacobian:
    x1, y1, z1 = one
    x2, y2, z2 = other
    if z1 == 0:
        return other
    if z2 == 0:
        return one
    square1, square2 = z1 * z1 % P, z2 * z2 % P
    left, right = x1 * square2 % P, x2 * square1 % P
    low, high = y1 * square2 * z2 % P, y2 * square1 * z1 % P
    width, height = (right - left) % P, (high - low) % P
    if width == 0:
        return _double(one) if height == 0 else _INFINITY
    cube = width * width * width % P
    base = left * width * width % P
    new_x = (height * height - cube - 2 * base) % P
    return new_x, (height * (base - new_x) - low * cube) % P, z1 * z2 * width % P
