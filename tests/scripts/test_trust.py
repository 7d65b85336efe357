"""What tools are told of this machine's trust: nothing that the user has told them already."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from scripts import trust

PIP = [sys.executable, "-m", "pip"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's store."""
    path = tmp_path / "store.pem"
    path.write_text("certificates")
    monkeypatch.setattr(trust, "BUNDLES", (str(tmp_path / "another distribution's"), str(path), "/none"))
    return path


def program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_tells_tools_where_the_machines_store_is(store: Path) -> None:
    assert trust.variables({}) == {"NODE_USE_SYSTEM_CA": "1", "SSL_CERT_FILE": str(store)}
    assert trust.bundle({}) == store


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_leaves_the_users_own_store(store: Path, name: str) -> None:
    assert trust.variables({name: "/mine", "NODE_USE_SYSTEM_CA": "0"}) == {}


def test_adds_nothing_where_the_machine_has_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "BUNDLES", ("/none",))
    monkeypatch.setattr(trust, "_own_bundle", lambda: "/none")
    assert trust.variables({}) == {"NODE_USE_SYSTEM_CA": "1"}
    assert trust.bundle({}) is None
    assert trust.pip_variables(PIP, {}) == {}


def test_tells_pip_unless_somebody_has(store: Path, tmp_path: Path) -> None:
    silent = program(tmp_path, "silent", "echo \"global.timeout='9'\"")
    told = program(tmp_path, "told", "echo \"global.cert='/mine'\"")
    broken = program(tmp_path, "broken", "exit 1")
    assert trust.pip_variables([silent], {}) == {"PIP_CERT": str(store)}
    assert trust.pip_variables([broken], {}) == {"PIP_CERT": str(store)}
    assert trust.pip_variables([told], {}) == {}
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        assert trust.pip_variables([silent], {name: "/mine"}) == {}


def test_reads_what_pip_says_of_its_configuration(store: Path, tmp_path: Path) -> None:
    own = tmp_path / "pip.conf"
    own.write_text("[install]\ncert = /mine\n")
    assert trust.pip_variables(PIP, {"PIP_CONFIG_FILE": str(own)}) == {}
    own.write_text("[global]\ntimeout = 9\n")
    assert trust.pip_variables(PIP, {"PIP_CONFIG_FILE": "/dev/null", "HOME": str(tmp_path)}) == {"PIP_CERT": str(store)}


def test_leads_the_locked_npm_to_the_machines_configuration(tmp_path: Path) -> None:
    config = tmp_path / "npmrc"
    npm = program(tmp_path / "bin", "npm", f'[ "$*" = "config get globalconfig" ] && echo {config}')
    env = {"PATH": f"{npm.parent}:/bin:/usr/bin"}
    assert str(config) not in trust.npm_variables(env).values(), "there is no such file"
    config.write_text("registry=https://registry.example/\n")
    assert trust.npm_variables(env) == {"NPM_CONFIG_GLOBALCONFIG": str(config)}
    for name in ("npm_config_globalconfig", "NPM_CONFIG_GLOBALCONFIG"):
        assert trust.npm_variables({**env, name: "/mine"}) == {}


def test_lives_with_an_npm_that_does_not_work(tmp_path: Path) -> None:
    npm = program(tmp_path, "npm", "echo /bin/sh; exit 1")
    assert "/bin/sh" not in trust.npm_variables({"PATH": str(npm.parent)}).values()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "Could not fetch URL https://user:secret@index.example:8443/simple/leaf/: There was a problem confirming "
            "the ssl certificate: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate "
            "in certificate chain (_ssl.c:1006) - skipping\nERROR: No matching distribution found for leaf",
            "the certificate of index.example:8443 is not trusted;",
        ),
        (
            "HTTPSConnectionPool(host='index.example', port=443): Max retries exceeded with url: /simple/leaf/ (Caused "
            "by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed')))",
            "the certificate of index.example is not trusted;",
        ),
        (
            "npm error code SELF_SIGNED_CERT_IN_CHAIN\nnpm error errno SELF_SIGNED_CERT_IN_CHAIN\nnpm error request to "
            "https://registry.example/leaf failed, reason: self-signed certificate in certificate chain",
            "the certificate of registry.example is not trusted;",
        ),
        (
            'Error: Could not retrieve the list\n\nGet "https://mirror.example/index.json": tls: failed to verify\n'
            "certificate: x509: certificate signed by unknown authority",
            "the certificate of mirror.example is not trusted;",
        ),
        (
            'Get "https://mirror.example/": x509: certificate has expired or is not yet valid: current time 1999',
            "the certificate of mirror.example is out of date by this machine's clock:",
        ),
        (
            "https://releases.example/: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, "
            "certificate is not valid for 'releases.example'. (_ssl.c:1006)",
            "the certificate of releases.example is for another host and was not trusted:",
        ),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "a certificate is not trusted;"),
    ],
)
def test_says_whose_certificate_it_is(said: str, sentence: str) -> None:
    fault = trust.fault(said)
    assert fault is not None
    assert fault.startswith(sentence)
    assert "secret" not in fault
    assert "\n" not in fault
    assert fault.endswith(".")


@pytest.mark.parametrize("said", ["", "ERROR: No matching distribution found", "https://index.example: 404 Not Found"])
def test_sees_no_certificate_in_other_faults(said: str) -> None:
    assert trust.fault(said) is None


def test_parses_on_python_3_8() -> None:
    ast.parse(Path(trust.__file__).read_text(), feature_version=(3, 8))
