"""Lock packages for an image: exact versions, and the SHA-256 of the file that each is installed from.

pip itself decides, from the index that this environment is configured for; nothing is installed and nothing of a
package runs. Only what is asked for is locked: what a package needs besides is in the image, or has to be listed too,
which the build says. So nothing of OME's images is ever replaced unseen.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from scripts.errors import Failed, Refused
from settings.images import package_name

# Of OME's images: Rocky Linux 9 has glibc 2.34 (ome/omero-server-docker, ome/omero-web-docker: Dockerfile).
PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_VERSIONS = r"(==|<=|>=|<|>|~=|!=)[A-Za-z0-9.*!+_-]+"
_ASKED = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]*({_VERSIONS}(,{_VERSIONS})*)?")


def lock(asked: Sequence[str], *, python: str) -> list[str]:
    """A line `name==version --hash=sha256:...` for each package asked for, such as `omero-figure` or `omero-figure<8`.

    `python` is the version of the image's Python, such as 3.11: it decides between files, where there are several.

    Raises:
        Refused: something asked for is no package's name and version.
        Failed: pip finds no wheel of it for that Python on x86.
    """
    if wrong := [each for each in asked if not _ASKED.fullmatch(each)]:
        raise Refused(
            f"{wrong[0]!r} is not a package of an index; give a name, or a name and versions such as "
            "omero-figure==7.3.0."
        )
    if not re.fullmatch(r"3\.\d{1,2}", python):
        raise Refused(f"--python {python} is not a version of Python 3; give that of the image, for instance 3.11.")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-input", "--report", "-"]
        command += ["--no-deps", "--ignore-installed", "--only-binary", ":all:", "--target", folder]
        command += ["--python-version", python, *(part for each in PLATFORMS for part in ("--platform", each))]
        done = subprocess.run([*command, *asked], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line.partition("ERROR: ")[2] for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        raise Failed(
            f"pip finds no wheel of {', '.join(asked)} for Python {python} on x86 "
            f"({(errors or ['without a reason'])[-1].rstrip('.')}); correct the name, the version or --python, or "
            "choose a package with a wheel."
        )
    found: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return sorted((_line(each) for each in found), key=package_name)


def _line(installed: dict[str, Any]) -> str:
    about = installed["metadata"]
    digest = installed["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
    if not digest:
        raise Failed(f"the package index gives no SHA-256 of {about['name']} {about['version']}; lock it from another.")
    return f"{package_name(about['name'] + '==' + about['version'])}=={about['version']} --hash=sha256:{digest}"
