"""A real OpenLDAP server (Debian's package `slapd`) over TLS on loopback, with a lab's people."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.interception import Authority

BASE = "dc=example,dc=org"
READER, PASSWORD = f"cn=reader,{BASE}", "reads-the-directory"
_SCHEMAS = Path("/etc/ldap/schema")
_SECONDS = 20

_PEOPLE = f"""\
dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {PASSWORD}

dn: ou=people,{BASE}
objectClass: organizationalUnit
ou: people

dn: cn=scanner,ou=people,{BASE}
objectClass: person
cn: scanner
sn: scanner

dn: cn="Schmidt, Anna",ou=people,{BASE}
objectClass: inetOrgPerson
cn: Schmidt, Anna
uid: aschmidt
givenName: Anna
sn: Schmidt
mail: anna.schmidt@example.org
seeAlso: cn=imaging,ou=people,{BASE}
departmentNumber: imaging

dn: cn=Bob (guest),ou=people,{BASE}
objectClass: inetOrgPerson
cn: Bob (guest)
uid: bob
givenName: Bob
sn: Guest
title: guest
seeAlso: cn=imaging,ou=elsewhere,dc=example,dc=com

dn: cn=imaging,ou=people,{BASE}
objectClass: groupOfNames
cn: imaging
member: cn=scanner,ou=people,{BASE}
"""


@dataclass(frozen=True, kw_only=True)
class Directory:
    """`certificates` are its authority's, in PEM."""

    url: str
    certificates: str
    process: subprocess.Popen[bytes]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def slapd() -> Path:
    """The server.

    Raises:
        FileNotFoundError: it is not installed.
    """
    found = shutil.which(
        "slapd", path="/usr/sbin:/usr/local/sbin:/usr/local/libexec:/opt/homebrew/opt/openldap/libexec"
    )
    if found is None:
        raise FileNotFoundError("slapd is not installed; install OpenLDAP's server (Debian's package slapd)")
    return Path(found)


def run_directory(folder: Path) -> Directory:
    """Start it below `folder`. It refuses a search by nobody, as most do."""
    authority = Authority(folder, "Hospital Root")
    authority.context("localhost")
    certificate = folder / "localhost.pem"
    data = folder / "data"
    data.mkdir()
    schemas = _SCHEMAS if _SCHEMAS.is_dir() else slapd().parents[2] / "etc/ldap/schema"
    modules = Path("/usr/lib/ldap") if Path("/usr/lib/ldap").is_dir() else slapd().parents[1] / "lib/ldap"
    settings = folder / "slapd.conf"
    settings.write_text(
        f"include {schemas}/core.schema\n"
        f"include {schemas}/cosine.schema\n"
        f"include {schemas}/inetorgperson.schema\n"
        f"pidfile {folder}/slapd.pid\n"
        f"TLSCertificateFile {certificate}\nTLSCertificateKeyFile {certificate}\n"
        "require authc\n"
        f'modulepath {modules}\nmoduleload back_mdb\ndatabase mdb\nsuffix "{BASE}"\ndirectory {data}\n'
        "access to attrs=userPassword by * auth\n"
        f'access to * by dn.exact="{READER}" read by * none\n'
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "people.ldif").write_text(_PEOPLE)
    tool = slapd()
    subprocess.run(
        [tool, "-T", "add", "-f", settings, "-l", folder / "people.ldif"], check=True, capture_output=True, text=True
    )
    url = f"ldaps://localhost:{port}"
    process = subprocess.Popen(
        [tool, "-d", "0", "-f", settings, "-h", url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        with socket.socket() as asked:
            if asked.connect_ex(("localhost", port)) == 0:
                break
        time.sleep(0.05)
    return Directory(url=url, certificates=authority.pem().decode(), process=process)
