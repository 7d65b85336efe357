"""What runs inside OMERO's own images: scripts that task definitions carry, so that no image has to be built."""

from __future__ import annotations

from pathlib import Path


def script(name: str) -> str:
    """The text of a script of this folder, without the lines that only its reader needs.

    A task definition has 64 KiB for all of its containers.

    Raises:
        ValueError: Terraform would take a part of the text for a template of its own.
    """
    return embedded(Path(__file__).parent / name)


def embedded(path: Path) -> str:
    """As `script`, of a file anywhere."""
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not (line.lstrip() + " ").startswith("# ")) + "\n"
    for template in ("${", "%{"):
        if template in text:
            raise ValueError(
                f"{path.name} has {template}, which Terraform would read as its own; write it in another way"
            )
    return text
