"""What this machine trusts and how it reaches the network, for tools that do not look for themselves.

A proxy that inspects TLS signs every certificate with an authority of its own, which administrators add to the
machine's store. Terraform and Python's own TLS read that store. Node.js, older versions of pip, and boto3 bring a list
of their own; set-up and the toolchain point them to the machine's. What the user has set stays as it is.

Standard library only: scripts/deploy/bootstrap.py uses this before anything is installed.
"""

# This file has to parse on Python 3.8, as scripts/deploy/bootstrap.py does.
from __future__ import annotations

import re
import shutil
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

BUNDLES = (  # where Linux distributions keep the machine's store as one file, as Go looks for it
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL, Amazon Linux
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",  # Alpine, macOS
)
ADVICE = (
    "a proxy that inspects TLS probably signs it: add its CA certificate to this machine's store, or to a copy of the "
    "store's bundle that SSL_CERT_FILE names (docs/network.md)"
)
ASK_SECONDS = 20.0  # for a tool to say how it is configured

# As Python, Node.js and Go say it.
_UNKNOWN = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE"
    r"|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|ERR_TLS_CERT_ALTNAME_INVALID|failed to verify certificate|\bx509: "
)
_OUT_OF_DATE = re.compile(r"certificate has expired|CERT_HAS_EXPIRED|not yet valid|CERT_NOT_YET_VALID")
_WRONG_NAME = re.compile(r"ostname mismatch|ALTNAME_INVALID|certificate is valid for|not valid for '")
_HOST = re.compile(r"host='([^']+)'|https://(?:[^/\s\"'@]*@)?(\[[0-9a-f:]+\](?::\d+)?|[\w.-]+(?::\d+)?)")


def bundle(env: Mapping[str, str]) -> Path | None:
    """The machine's certificates as one file: SSL_CERT_FILE, the distribution's, or that of Python's OpenSSL."""
    if named := env.get("SSL_CERT_FILE"):
        return Path(named)
    # The last place is also macOS's, with Apple's certificates alone; Homebrew's Python has the keychain's in its own.
    places = (*BUNDLES[:-1], _own_bundle(), BUNDLES[-1])
    return next((Path(place) for place in places if Path(place).is_file()), None)


def _own_bundle() -> str:
    """Where this Python's OpenSSL looks for a file of certificates."""
    return ssl.get_default_verify_paths().openssl_cafile


def variables(env: Mapping[str, str]) -> dict[str, str]:
    """What to add to the environment `env` so that Node.js and Python's TLS trust what the machine does."""
    added = {} if "NODE_USE_SYSTEM_CA" in env else {"NODE_USE_SYSTEM_CA": "1"}
    found = bundle(env)
    # With SSL_CERT_DIR alone the user means a folder, which a file of ours would add to.
    if found and not env.get("SSL_CERT_FILE") and not env.get("SSL_CERT_DIR"):
        added["SSL_CERT_FILE"] = str(found)
    return added


def pip_variables(pip: Sequence[str | Path], env: Mapping[str, str]) -> dict[str, str]:
    """What to add for the command `pip`: before 24.2 it trusts only what is packed into it, or is told.

    Nothing where a variable or pip's own configuration names certificates.
    """
    found = bundle(env)
    if not found or any(env.get(name) for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")):
        return {}
    configured = re.search(r"^\w+\.cert=", _answer([*pip, "config", "list"], env), re.MULTILINE)
    return {} if configured else {"PIP_CERT": str(found)}


def npm_variables(env: Mapping[str, str]) -> dict[str, str]:
    """What to add for the locked npm: its own idea of the global configuration is a file inside its package.

    The machine's npm says where its is; /etc/npmrc where there is none.
    """
    if any(name.lower() == "npm_config_globalconfig" for name in env):
        return {}
    npm = shutil.which("npm", path=env.get("PATH", ""))
    said = _answer([npm, "config", "get", "globalconfig"], env).strip() if npm else ""
    found = next((place for place in (said, "/etc/npmrc") if place and Path(place).is_file()), "")
    return {"NPM_CONFIG_GLOBALCONFIG": found} if found else {}


def _answer(command: Sequence[str | Path], env: Mapping[str, str]) -> str:
    """What `command` prints on stdout; empty where it does not work."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
            timeout=ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def fault(said: str) -> str | None:
    """One sentence where a tool that printed `said` did not accept a certificate, else None."""
    found = _UNKNOWN.search(said)
    if not found:
        return None
    # The line that complains names the host; where it wraps, the first address before or after does.
    line = said[said.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0]
    host = _HOST.search(line) or _HOST.search(said[found.start() :]) or _HOST.search(said)
    of = f"the certificate of {host[1] or host[2]}" if host else "a certificate"
    if _OUT_OF_DATE.search(said):
        return (
            f"{of} is out of date by this machine's clock: set the clock if it is wrong, or report this to the "
            "operator of the host."
        )
    if _WRONG_NAME.search(said):
        return f"{of} is for another host and was not trusted: find out who answers there, perhaps a proxy."
    return f"{of} is not trusted; {ADVICE}."
