"""Security policies for servers: which algorithms of SSH a server offers.

Those of https://docs.aws.amazon.com/transfer/latest/userguide/security-policies.html, but the experimental ones and
those for AS2. Policies for connectors are left out too.
"""

from __future__ import annotations

from dataclasses import dataclass

from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs

# Of CreateServer by API; Terraform and CloudFormation name TransferSecurityPolicy-2018-11.
DEFAULT = "TransferSecurityPolicy-2024-01"


def _gcm(*bits: int) -> tuple[str, ...]:
    return tuple(f"aes{each}-gcm@openssh.com" for each in bits)


def _ctr(*bits: int) -> tuple[str, ...]:
    return tuple(f"aes{each}-ctr" for each in bits)


def _etm(*bits: int) -> tuple[str, ...]:
    return tuple(f"hmac-sha2-{each}-etm@openssh.com" for each in bits)


_CURVE = ("curve25519-sha256", "curve25519-sha256@libssh.org")
_ECDH = ("ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521")
_GROUP16, _GROUP18 = "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512"
_EXCHANGE, _GROUP14 = "diffie-hellman-group-exchange-sha256", "diffie-hellman-group14-sha256"
_QUANTUM = ("mlkem768x25519-sha256", "mlkem768nistp256-sha256", "mlkem1024nistp384-sha384")
_CHACHA = ("chacha20-poly1305@openssh.com",)
_HMAC = ("hmac-sha2-256", "hmac-sha2-512")


@dataclass(frozen=True)
class Policy:
    """`rsa_sha1`: whether RSA keys may still sign with SHA-1 (the algorithm ssh-rsa)."""

    ciphers: tuple[str, ...]
    kexs: tuple[str, ...]
    macs: tuple[str, ...]
    fips: bool = False
    rsa_sha1: bool = False

    def options(self) -> dict[str, list[str]]:
        """For asyncssh; what it does not know is left out."""
        signatures = ["ssh-ed25519", *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521))]
        signatures += ["rsa-sha2-256", "rsa-sha2-512", *(["ssh-rsa"] if self.rsa_sha1 else [])]
        return {
            "encryption_algs": _known(self.ciphers, get_encryption_algs()),
            "kex_algs": _known(self.kexs, get_kex_algs()),
            "mac_algs": _known(self.macs, get_mac_algs()),
            "signature_algs": signatures,
        }


def _known(wanted: tuple[str, ...], available: list[bytes]) -> list[str]:
    return [each for each in wanted if each.encode() in available]


_OLD_MACS = ("umac-64-etm@openssh.com", "umac-128-etm@openssh.com", *_etm(256, 512), "hmac-sha1-etm@openssh.com")
_2018 = Policy(
    (*_CHACHA, *_ctr(128, 192, 256), *_gcm(128, 256)),
    (*_CURVE, *_ECDH, _EXCHANGE, _GROUP16, _GROUP18, _GROUP14, "diffie-hellman-group14-sha1"),
    (*_OLD_MACS, "umac-64@openssh.com", "umac-128@openssh.com", *_HMAC, "hmac-sha1"),
    rsa_sha1=True,
)
_2020 = Policy(
    (*_CHACHA, *_ctr(128, 192, 256), *_gcm(128, 256)),
    (*_ECDH, _EXCHANGE, _GROUP16, _GROUP18, _GROUP14),
    ("umac-128-etm@openssh.com", *_etm(256, 512), "umac-128@openssh.com", *_HMAC),
    rsa_sha1=True,
)
_STRICT_KEXS = (*_CURVE, _GROUP16, _GROUP18, _EXCHANGE)
_FIPS_KEXS = (*_ECDH, _GROUP18, _GROUP16, _EXCHANGE)
_CIPHERS = (*_gcm(128, 256), *_ctr(128, 256, 192))
_FIPS_2024 = Policy(_CIPHERS, _FIPS_KEXS, _etm(256, 512), fips=True)

POLICIES: dict[str, Policy] = {
    f"TransferSecurityPolicy-{name}": policy
    for name, policy in {
        "2018-11": _2018,
        "Restricted-2018-11": Policy(_2018.ciphers[1:], _2018.kexs, _2018.macs),
        "2020-06": _2020,
        "Restricted-2020-06": Policy(_2020.ciphers[1:], _2020.kexs, _2020.macs),
        "2022-03": Policy((*_gcm(256, 128), *_ctr(256, 192)), _STRICT_KEXS, (*_etm(512, 256), *_HMAC[::-1])),
        "2023-05": Policy((*_gcm(256, 128), *_ctr(256, 192)), _STRICT_KEXS, _etm(512, 256)),
        "2024-01": Policy(_CIPHERS, (*_ECDH, *_CURVE, _GROUP18, _GROUP16, _EXCHANGE), _etm(256, 512)),
        "SshAuditCompliant-2025-02": Policy(_CIPHERS, (*_CURVE, _GROUP18, _GROUP16, _EXCHANGE), _etm(256, 512)),
        "2025-03": Policy(
            (*_gcm(256, 128), *_ctr(128, 256, 192)),
            (*_QUANTUM, *_ECDH, *_CURVE, _GROUP16, _GROUP18, _EXCHANGE),
            _etm(256, 512),
        ),
        "FIPS-2020-06": Policy(
            (*_ctr(128, 192, 256), *_gcm(128, 256)),
            (*_ECDH, _EXCHANGE, _GROUP16, _GROUP18, _GROUP14),
            (*_etm(256, 512), *_HMAC),
            fips=True,
            rsa_sha1=True,
        ),
        "FIPS-2023-05": Policy(
            (*_gcm(256, 128), *_ctr(256, 192)),
            (_GROUP16, _GROUP18, _EXCHANGE),
            _etm(256, 512),
            fips=True,
            rsa_sha1=True,
        ),
        "FIPS-2024-01": Policy(_CIPHERS, _FIPS_KEXS, _etm(256, 512), fips=True, rsa_sha1=True),
        "FIPS-2024-05": _FIPS_2024,
        "FIPS-2025-03": Policy(
            (*_gcm(256, 128), *_ctr(256, 192, 128)),
            (*_QUANTUM, *_ECDH, _EXCHANGE, _GROUP16, _GROUP18),
            _etm(512, 256),
            fips=True,
        ),
    }.items()
}
