"""SSH keys as Transfer Family takes them: RSA, ECDSA and ED25519."""

from __future__ import annotations

import base64
import hashlib

import asyncssh

from local_aws.services.transfer.state import invalid

TYPES = ("ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-ed25519")

# https://docs.aws.amazon.com/transfer/latest/userguide/sftp-auth-issues.html
_BAD_PUBLIC = "Unsupported or invalid SSH public key format"
_BAD_HOST = "Unsupported or invalid host key format"
_LEAST_BITS = 2048  # of an RSA key, as the documentation of HostKey asks
# What `ssh-keygen` writes by the commands in the documentation of HostKey (botocore's model, CreateServer): with
# `-m PEM` for RSA and ECDSA, without it for ED25519.
_FORMS = {"ssh-rsa": "RSA", "ssh-ed25519": "OPENSSH"}


def public(body: str) -> asyncssh.SSHKey:
    """Raises InvalidRequestException for what is no public key in OpenSSH's format, or of another type."""
    try:
        key = asyncssh.import_public_key(body.strip())
    except (asyncssh.KeyImportError, ValueError):
        raise invalid(_BAD_PUBLIC) from None
    return _checked(key, _BAD_PUBLIC)


def private(body: str) -> asyncssh.SSHKey:
    """Raises InvalidRequestException for what is no private key, is encrypted, or of another type or form."""
    try:
        key = asyncssh.import_private_key(body)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError):
        raise invalid(_BAD_HOST) from None
    if not body.lstrip().startswith(f"-----BEGIN {_FORMS.get(key.get_algorithm(), 'EC')} PRIVATE KEY-----"):
        raise invalid(_BAD_HOST)
    return _checked(key, _BAD_HOST)


def generated() -> asyncssh.SSHKey:
    """The host key of a server that was made without one."""
    return asyncssh.generate_private_key("ssh-rsa", key_size=2048)


def fingerprint(key: asyncssh.SSHKey) -> str:
    """As DescribeServer tells it: with the padding that ssh-keygen leaves out."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.public_data).digest()).decode()


def _checked(key: asyncssh.SSHKey, message: str) -> asyncssh.SSHKey:
    kind = str(key.get_algorithm())
    if kind not in TYPES:
        raise invalid(message)
    if kind == "ssh-rsa" and getattr(key.pyca_key, "key_size", 0) < _LEAST_BITS:
        raise invalid(message)
    return key
