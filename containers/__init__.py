"""What runs inside OMERO's own images: scripts that task definitions carry, so that no image has to be built."""

from __future__ import annotations

import base64
import bz2
import io
import tarfile
from pathlib import Path

BOOTSTRAP = """
import base64, io, os, runpy, sys, tarfile, tempfile
folder = tempfile.mkdtemp()
tarfile.open(fileobj=io.BytesIO(base64.b64decode(os.environ.pop("PROGRAM")))).extractall(folder)
sys.path.insert(0, folder)
runpy.run_module("containers." + sys.argv[1], run_name="__main__")
"""
"""For Python's `-c`, with a package's name after it: runs what `package` made, from the variable PROGRAM."""


def script(name: str) -> str:
    """The text of a script of this folder, without the lines that only its reader needs.

    A task definition has 64 KiB for all of its containers.

    Raises:
        ValueError: Terraform would take a part of the text for a template of its own.
    """
    return embedded(Path(__file__).parent / name)


def packed(name: str) -> str:
    """A script of this folder in Python, for a variable: `exec(bz2.decompress(base64.b64decode(...)))` runs it."""
    # bzip2, for what zlib makes of it differs between its versions.
    return base64.b64encode(bz2.compress(script(name).encode())).decode()


def embedded(path: Path) -> str:
    """As `script`, of a file anywhere. A line `@NAME` is replaced by the file of that name beside it."""
    lines = _with_parts(path)
    text = "\n".join(line for line in lines if not (line.lstrip() + " ").startswith("# ")) + "\n"
    for template in ("${", "%{"):
        if template in text:
            raise ValueError(
                f"{path.name} has {template}, which Terraform would read as its own; write it in another way"
            )
    return text


def _with_parts(path: Path) -> list[str]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found += _with_parts(path.parent / line[1:]) if line.startswith("@") else [line]
    return found


# What runs as a program needs of this folder.
_WEB = ("supervisor/__init__.py", "supervisor/signing.py", "web/*.py")
PARTS = {
    "importer": ("importer/*.py", "supervisor/*.py"),
    "sign_in": ("sign_in/*.py", *_WEB),
    "supervisor": ("supervisor/*.py",),
    "web": _WEB,
}


def package(name: str) -> str:
    """The program `containers.<name>`, with what it needs, as a tar archive in base64, the same wherever it is made."""
    parts = {"containers/__init__.py": b""}
    for path in sorted(each for part in PARTS[name] for each in Path(__file__).parent.glob(part)):
        parts[f"containers/{path.parent.name}/{path.name}"] = path.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as target:
        for place, content in parts.items():
            about = tarfile.TarInfo(place)
            about.size = len(content)
            about.mode = 0o644
            target.addfile(about, io.BytesIO(content))
    # bzip2, for what zlib makes of it differs between its versions.
    return base64.b64encode(bz2.compress(packed.getvalue())).decode()
