"""Senders' public keys, looked at before they are sent anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from scripts.errors import Refused

# https://docs.aws.amazon.com/transfer/latest/userguide/key-management.html
TYPES = ("ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
LEAST_RSA_BITS = 2048
MOST_CHARACTERS = 2048
"""Of a key's body (Transfer Family API reference, ImportSshPublicKey)."""
LARGEST_FILE = 16 * 1024
PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----|PuTTY-User-Key-File-")
MAKE_ONE = "create one with `ssh-keygen -t ed25519`, which writes it to the .pub file"


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """`body` is one line as OpenSSH has it; `fingerprint` as it prints it."""

    type: str
    fingerprint: str
    body: str


def read(path: Path) -> PublicKey:
    """The public key in a file, in OpenSSH's format or that of PuTTYgen and RFC 4716.

    Raises:
        Refused: it cannot be read, or holds no such key.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Refused(f"{path} has {path.stat().st_size} bytes, too many for a public key; {MAKE_ONE}.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"the key file {path} cannot be read: {error.strerror}; give the file of a public key.") from None
    except UnicodeDecodeError:
        raise Refused(f"{path} is not a text file, so not a public key; {MAKE_ONE}.") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> PublicKey:
    """The public key in a text; `source` is what messages name, and no message shows the text.

    Raises:
        Refused: it is a private key, none at all, more than one, or of a type or size that is not taken.
    """
    if PRIVATE.search(text):
        raise Refused(
            f"{source} holds a private key, which must not leave its owner's machine; ask for the public one: "
            f"{MAKE_ONE}."
        )
    lines = [line for line in text.strip().splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) > 1 and not lines[0].startswith("---- BEGIN SSH2"):
        raise Refused(f"{source} holds {len(lines)} lines; give one public key, and add others with `user key add`.")
    try:
        key = asyncssh.import_public_key("\n".join(lines))
    except (asyncssh.KeyImportError, ValueError, IndexError):
        raise Refused(f"{source} does not contain a public SSH key; {MAKE_ONE}.") from None
    kind = str(key.get_algorithm())
    if kind not in TYPES:
        raise Refused(f"{source} holds a key of the type {kind}; allowed: {', '.join(TYPES)}.")
    bits = getattr(getattr(key, "pyca_key", None), "key_size", 0)
    if kind == "ssh-rsa" and bits < LEAST_RSA_BITS:
        raise Refused(
            f"{source} holds an RSA key of {bits} bits; give one of {LEAST_RSA_BITS} or more, or preferably an ED25519 "
            "key."
        )
    # Without its comment, which often is a person's name and machine.
    body = " ".join(key.export_public_key().decode().split()[:2])
    if len(body) > MOST_CHARACTERS:
        raise Refused(
            f"{source} holds a key of {len(body)} characters, and AWS allows {MOST_CHARACTERS}; give an ED25519 key."
        )
    return PublicKey(type=kind, fingerprint=str(key.get_fingerprint()), body=body)
