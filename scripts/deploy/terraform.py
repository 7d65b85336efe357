"""Find a Terraform that is new enough, or fetch one.

Standard library only, for scripts/deploy/bootstrap.py uses this before anything is installed. It also has what
set-up shares: Stop, os_arch, digest.
"""

# This file has to parse on Python 3.8, as scripts/deploy/bootstrap.py does.
from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from scripts import trust

MIN_VERSION = (1, 11, 0)  # the first whose S3 backend locks with a file in the bucket
VERSION = "1.11.4"  # fetched where the PATH has none that is new enough
SHA256 = {  # of HashiCorp's terraform_1.11.4_<platform>.zip
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}
RELEASES = "https://releases.hashicorp.com"
RELEASES_VARIABLE = "OMERO_TERRAFORM_RELEASES"

ATTEMPTS = 4
PAUSE_SECONDS = 1.0  # before the second attempt; doubled before each further one
TIMEOUT_SECONDS = 30.0  # without a byte
PROGRESS_SECONDS = 10.0


class Stop(Exception):
    """Set-up cannot continue: one sentence for the user, the exit code, and what a tool printed last."""

    def __init__(self, message: str, exit_code: int = 2, tail: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.tail = tail


class Terraform(NamedTuple):
    """A Terraform binary that answered: where it is, and its version as (major, minor, patch)."""

    path: Path
    version: tuple[int, int, int]

    @property
    def fits(self) -> bool:
        return self.version >= MIN_VERSION


def write(text: str) -> None:
    """Write to stderr at once: also a line that is not finished yet."""
    sys.stderr.write(text)
    sys.stderr.flush()


def dotted(version: Sequence[int]) -> str:
    """(1, 11, 4) as "1.11.4"."""
    return ".".join(str(part) for part in version)


def os_arch() -> str:
    """This platform as Terraform writes it, such as `linux_amd64`."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The numbers of "1.11.4", "v1.15" or "1.12.0-beta1"; None for anything else."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def at(path: Path) -> Terraform | None:
    """Ask the binary at `path` for its version; None if it does not run or does not say."""
    # Without the user's configuration, about which Terraform may warn, and without a call home.
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    try:
        result = subprocess.run(
            [str(path), "version", "-json"],
            env={**env, "CHECKPOINT_DISABLE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
        version = parse_version(json.loads(result.stdout)["terraform_version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return Terraform(path, version) if version else None


def candidates(root: Path, env: Mapping[str, str]) -> Iterator[Terraform]:
    """The Terraforms that work, in order of preference: the fetched one, then the first on the PATH."""
    on_path = shutil.which("terraform", path=env.get("PATH", os.defpath))
    for path in (root / ".tools" / "bin" / "terraform", Path(on_path) if on_path else None):
        found = at(path) if path and path.is_file() else None
        if found:
            yield found


def find(root: Path, env: Mapping[str, str]) -> Terraform | None:
    """The Terraform to use: the first that works and is new enough (MIN_VERSION)."""
    return next((found for found in candidates(root, env) if found.fits), None)


def fetch(root: Path, env: Mapping[str, str]) -> None:
    """Put Terraform VERSION into .tools/bin, if its archive has the checksum pinned above.

    The variable OMERO_TERRAFORM_RELEASES names another server with the layout of HashiCorp's.
    """
    key = os_arch()
    base = env.get(RELEASES_VARIABLE) or RELEASES
    if key not in SHA256:
        raise Stop(
            f"no Terraform is pinned for {key} (only for {', '.join(SHA256)}): install Terraform "
            f"{dotted(MIN_VERSION)} or newer on the PATH and run `make setup` again."
        )
    if not base.startswith(("https://", "http://")):
        raise Stop(f"{RELEASES_VARIABLE} is {base!r}, but must be an http or https URL: correct or unset it.")
    url = f"{base.rstrip('/')}/terraform/{VERSION}/terraform_{VERSION}_{key}.zip"
    archive = download(url)
    got = digest(archive)
    if got != SHA256[key]:
        raise Stop(
            f"{url} has the SHA-256 {got}, but {SHA256[key]} is pinned, so it was discarded: find out what answers at "
            f"that address, or set {RELEASES_VARIABLE} to a server that you trust."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            binary = opened.read("terraform")  # exactly this member: no other path is ever written
    except (KeyError, zipfile.BadZipFile) as error:
        raise Stop(f"{url} does not contain `terraform`: set {RELEASES_VARIABLE} to another server.") from error
    target = root / ".tools" / "bin" / "terraform"
    part = target.with_name(".terraform.part")  # one name is enough: the lock keeps others out
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(binary)
        part.chmod(0o755)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    if find(root, env) is None:
        raise Stop(f"Terraform from {url} does not run on this machine: install Terraform on the PATH instead.")


def download(url: str) -> bytes:
    """The body at `url`; tries again on what may pass (5xx, 429, time-outs, lost connections)."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS * 2 ** (attempt - 1))
        try:
            return read(url)
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            if fault := trust.fault(f"{url}: {reason}"):
                raise Stop(f"Terraform {VERSION} could not be fetched: {fault}") from None
    raise Stop(
        f"Terraform {VERSION} could not be downloaded from {url} ({reason}): check the network and the proxy, set "
        f"{RELEASES_VARIABLE} to a server that you can reach, or install Terraform on the PATH."
    )


def read(url: str) -> bytes:
    """The body at `url`, once; says how far it is every PROGRESS_SECONDS. OSError when it is cut short."""
    parts, size, said = [], 0, time.monotonic()
    tls = ssl.create_default_context()
    # A Python that brings an OpenSSL of its own, such as conda's, does not look where the machine's store is.
    if store := trust.variables(os.environ).get("SSL_CERT_FILE"):
        tls.load_verify_locations(store)
    # The caller has checked the scheme.
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS, context=tls) as answer:  # noqa: S310
        total = int(answer.headers.get("Content-Length") or 0)
        while part := answer.read(1 << 18):
            parts.append(part)
            size += len(part)
            if time.monotonic() - said > PROGRESS_SECONDS:
                said = time.monotonic()
                write(f"{size >> 20} of {total >> 20} MB ... ")
    if size < total:
        raise OSError(f"cut off after {size} of {total} bytes")
    return b"".join(parts)
