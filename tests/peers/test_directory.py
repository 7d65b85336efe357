"""What the servers say about their directory, and what Java trusts, with a real OpenLDAP server and a real Java."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import containers
from containers import script
from tests.interception import Authority
from tests.peers.directory import BASE, PASSWORD, READER, Directory, run_directory

# OpenLDAP's server is not everywhere: those who have it, and the night, run them.
pytestmark = [pytest.mark.peers, pytest.mark.nightly]

CHECK = Path(containers.__file__).with_name("ldap_check.py")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Directory]:
    running = run_directory(tmp_path_factory.mktemp("directory"))
    yield running
    running.close()


def check(directory: Directory, **changed: str) -> tuple[int, str]:
    """Exit code, and what it says."""
    values = {
        "CONFIG_omero_ldap_urls": directory.url,
        "CONFIG_omero_ldap_username": READER,
        "CONFIG_omero_ldap_password": PASSWORD,
        "CONFIG_omero_ldap_base": BASE,
        "TRUSTED_CERTIFICATES": directory.certificates,
        **changed,
    }
    done = subprocess.run(
        [sys.executable, CHECK], env={"PATH": os.environ["PATH"], **values}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.strip()


def test_says_that_all_is_well(directory: Directory) -> None:
    said = f"The directory {directory.url} answers, and its base {BASE} can be read."
    assert check(directory) == (0, said)


def test_long_values_are_encoded_as_ldap_has_them(directory: Directory) -> None:
    """Above 127 bytes, a length has a byte that says how many bytes it has."""
    code, said = check(directory, CONFIG_omero_ldap_base=f"ou={'x' * 300},{BASE}")
    assert code == 1
    assert said.endswith("cannot be read: it has no such entry.")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"CONFIG_omero_ldap_urls": "ldaps://no-such-host.invalid:636"}, "its name no-such-host.invalid is not known"),
        ({"CONFIG_omero_ldap_urls": "ldaps://localhost:1"}, "does not answer on port 1"),
        ({"TRUSTED_CERTIFICATES": ""}, "its certificate is refused: "),
        ({"CONFIG_omero_ldap_password": "wrong"}, "it does not know that name with that password"),
        ({"CONFIG_omero_ldap_username": "", "CONFIG_omero_ldap_password": ""}, "cannot be read: "),
        ({"CONFIG_omero_ldap_base": f"ou=nowhere,{BASE}"}, "it has no such entry"),
    ],
)
def test_says_which_step_fails(directory: Directory, changed: dict[str, str], said: str) -> None:
    code, line = check(directory, **changed)
    assert code == 1
    assert line.startswith("The directory ldaps://")
    assert said in line
    assert PASSWORD not in line


def test_says_that_the_name_is_another(directory: Directory) -> None:
    code, line = check(directory, CONFIG_omero_ldap_urls=directory.url.replace("localhost", "127.0.0.1"))
    assert code == 1
    assert "its certificate is refused: IP address mismatch" in line


def test_says_that_there_is_no_directory(directory: Directory) -> None:
    """Something that listens, and does not speak TLS."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", f"import socket; s = socket.create_server(('127.0.0.1', 0)); print({port})"],
            stdout=subprocess.DEVNULL,
        )
        process.wait()
        other.settimeout(0.01)
        code, line = check(directory, CONFIG_omero_ldap_urls=f"ldaps://localhost:{port}")
    assert code == 1
    assert f"it does not speak TLS on port {port}" in line


def test_java_trusts_its_own_and_the_hospitals(tmp_path: Path) -> None:
    """The step of server.sh, with a real keytool: two authorities in one value."""
    text = script("directory.sh").replace("/tmp/omero-trust-store", f"{tmp_path}/store")  # noqa: S108
    authorities = [Authority(tmp_path, name).pem().decode() for name in ("Hospital Root", "Hospital Issuing")]
    environ = {"PATH": os.environ["PATH"], "TRUSTED_CERTIFICATES": "".join(authorities)}
    for _ in range(2):  # a container that is started again has the store already
        done = subprocess.run(["bash", "-euc", text], env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    java = Path(str(shutil.which("java"))).resolve().parents[1]
    own, both = _entries(java / "lib/security/cacerts"), _entries(tmp_path / "store")
    assert len(both - own) == 2
    assert own < both
    assert [each.name for each in tmp_path.iterdir()] == ["store"]


def _entries(store: Path) -> set[str]:
    """Fingerprints of the certificates."""
    listed = subprocess.run(
        ["keytool", "-list", "-keystore", store, "-storepass", "changeit"], capture_output=True, text=True, check=True
    )
    return {line for line in listed.stdout.splitlines() if line.startswith("Certificate fingerprint")}
