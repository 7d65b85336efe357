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
        "CONFIG_omero_ldap_user__filter": "(objectClass=person)",
        "CONFIG_omero_ldap_user__mapping": "omeName=uid,firstName=givenName,lastName=sn,email=mail",
        "CONFIG_omero_ldap_group__filter": "(objectClass=groupOfNames)",
        "CONFIG_omero_ldap_group__mapping": "name=cn",
        "CONFIG_omero_ldap_new__user__group": "default",
        "TRUSTED_CERTIFICATES": directory.certificates,
        **changed,
    }
    done = subprocess.run(
        [sys.executable, CHECK], env={"PATH": os.environ["PATH"], **values}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.strip()


def test_says_that_all_is_well(directory: Directory) -> None:
    said = f"The directory {directory.url} answers, and omero.ldap.user_filter finds 3 there."
    assert check(directory) == (0, said)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(uid=aschmidt)", 1),
        ("(&(objectClass=person)(|(uid=aschmidt)(uid=bob)))", 2),
        ("(&(objectClass=inetOrgPerson)(!(title=guest)))", 1),
        ("(mail=*)", 1),
        ("(cn=*mid*Ann*)", 1),
        ("(cn=Sch*)", 1),
        ("(cn=*\\28guest\\29)", 1),
        ("(cn=Bob \\28guest\\29)", 1),
        ("(&(uid=*)(createTimestamp>=20200101000000Z)(!(createTimestamp<=20200101000000Z)))", 2),
        ("(sn~=schmidt)", 1),
        ("(cn:caseExactMatch:=scanner)", 1),
        ("(&(objectClass=person)(ou:dn:=people))", 3),
        ("( & (objectClass=person) (uid=bob) )", 1),
    ],
)
def test_filters_are_read_as_the_directory_reads_them(directory: Directory, text: str, found: int) -> None:
    """What `ldapsearch` finds is the witness: it is OpenLDAP's own, and encodes by itself."""
    spaces = text if "Bob" in text else text.replace(" ", "")  # it takes none between parentheses
    asked = ["ldapsearch", "-LLL", "-H", directory.url, "-D", READER, "-w", PASSWORD, "-b", BASE, spaces, "1.1"]
    environ = {"PATH": os.environ["PATH"], "LDAPTLS_REQCERT": "never"}
    done = subprocess.run(asked, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.count("dn:") == found
    mapping = {"CONFIG_omero_ldap_user__mapping": "omeName=sn"}
    assert check(directory, CONFIG_omero_ldap_user__filter=text, **mapping)[1].endswith(f"finds {found} there.")


@pytest.mark.parametrize(
    "text", ["(uid=a", "uid=a", "(uid)", "(&(uid=a)", "(uid=a)(uid=b)", "(!(uid=a)(uid=b))", "(cn=\\2)"]
)
def test_says_what_is_no_filter(directory: Directory, text: str) -> None:
    code, line = check(directory, CONFIG_omero_ldap_user__filter=text)
    assert code == 1
    assert f"omero.ldap.user_filter {text} is no LDAP filter" in line


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"user__filter": "(uid=nobody)"}, f"omero.ldap.user_filter (uid=nobody) finds nothing below {BASE}."),
        (
            {"user__mapping": "omeName=sAMAccountName"},
            "nobody whom omero.ldap.user_filter finds has sAMAccountName, which omero.ldap.user_mapping",
        ),
        ({"user__mapping": "omeName=uid,email=mial"}, "has mial, which omero.ldap.user_mapping takes for email"),
        ({"new__user__group": ":attribute:company"}, "has company, which omero.ldap.new_user_group names"),
        (
            {"new__user__group": ":dn_attribute:memberOf"},
            "has memberOf, which omero.ldap.new_user_group names",
        ),
        ({"new__user__group": ":dn_attribute:seeAlso"}, "seeAlso names groups that are not below dc=example,dc=org"),
        (
            {"new__user__group": ":filtered_attribute:departmentNumber", "group__filter": "(objectClass=group)"},
            f"omero.ldap.group_filter (objectClass=group) finds nothing below {BASE}.",
        ),
        (
            {"new__user__group": ":query:(member=*)", "group__mapping": "name=ou"},
            "no group that omero.ldap.group_filter finds has ou, which omero.ldap.group_mapping takes for name",
        ),
    ],
)
def test_says_what_omero_would_not_find(directory: Directory, changed: dict[str, str], said: str) -> None:
    code, line = check(directory, **{f"CONFIG_omero_ldap_{name}": value for name, value in changed.items()})
    assert (code, line.count("\n")) == (1, 0)
    assert said in line
    assert not [name for name in ("Anna", "aschmidt", "Schmidt", "Bob") if name in line]


@pytest.mark.parametrize(
    "changed",
    [
        {"new__user__group": ":attribute:departmentNumber"},
        {"new__user__group": ":filtered_attribute:departmentNumber"},
        {"new__user__group": ":dn_attribute:seeAlso", "user__filter": "(uid=aschmidt)"},
        {"new__user__group": "Imaging", "group__filter": "(objectClass=nothing)"},
    ],
)
def test_takes_groups_as_omero_does(directory: Directory, changed: dict[str, str]) -> None:
    code, line = check(directory, **{f"CONFIG_omero_ldap_{name}": value for name, value in changed.items()})
    assert code == 0, line


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
