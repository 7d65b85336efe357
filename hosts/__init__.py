"""What runs on EC2 instances when they start: scripts that launch templates carry as user data."""

from __future__ import annotations

from pathlib import Path

from containers import embedded

FOLDER = Path(__file__).parent


def script(name: str) -> str:
    """The text of a script of this folder, without the lines that only its reader needs.

    Raises:
        ValueError: Terraform would take a part of the text for a template of its own.
    """
    return embedded(FOLDER / name)


def requirements() -> str:
    """The Python packages of the upload host, pinned, each with the SHA-256 of its wheel."""
    return embedded(FOLDER / "requirements.txt")
