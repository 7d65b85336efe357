"""One value of a workspace's file is changed, and every other character stays."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from scripts.errors import Refused
from scripts.images import workspace_file

KEY, IMAGE = "omero.web.image", f"example/web:1@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "omero:\n  web:\n    image: old:1 # why\n    count: 3\n",
            "omero:\n  web:\n    image: NEW # why\n    count: 3\n",
        ),
        ("omero:\n  web:\n    image: 'old:1'\n", "omero:\n  web:\n    image: 'NEW'\n"),
        ('omero: {web: {image: "old:1", count: 2}}\n', 'omero: {web: {image: "NEW", count: 2}}\n'),
        (
            "omero:\n  web: # two\n    # of them\n    count: 2\n",
            "omero:\n  web: # two\n    image: NEW\n    # of them\n    count: 2\n",
        ),
        (
            "omero:\n  # the server\n  server:\n    cpu: 4096\nretain: false\n",
            "omero:\n  web:\n    image: NEW\n  # the server\n  server:\n    cpu: 4096\nretain: false\n",
        ),
        ("omero: {web: {count: 2}}\n", 'omero: {web: {image: "NEW", count: 2}}\n'),
        ("omero: {}\n", 'omero: {web: {image: "NEW"}}\n'),
        ("# mine\na: 1 # one\n", "# mine\na: 1 # one\nomero:\n  web:\n    image: NEW\n"),
        ("a: 1", "a: 1\nomero:\n  web:\n    image: NEW\n"),
        ("omero:\n    web:\n        count: 2\n", "omero:\n    web:\n        image: NEW\n        count: 2\n"),
    ],
)
def test_the_rest_stays(before: str, after: str) -> None:
    assert workspace_file.changed(before, KEY, IMAGE) == after.replace("NEW", IMAGE)


@pytest.mark.parametrize(
    "before",
    [
        "omero:\n  web: null\n",
        "omero:\n",
        "omero: [1]\n",
        "x: &w {image: old:1}\nomero:\n  web: *w\n",
        "omero:\n  web:\n    image: >-\n      old:1\n",
        "a: 1\n...\n",
    ],
)
def test_refuses_what_it_cannot_change_without_a_doubt(before: str) -> None:
    """An alias, for one, would change two places."""
    with pytest.raises(Refused, match=f"in a way that cannot be changed safely; write it yourself: {KEY}: example/web"):
        workspace_file.changed(before, KEY, IMAGE)


MINIMAL = """\
# yaml-language-server: $schema=../schema.json
account_id: "111122223333"  # ours
region: eu-west-1
access:
  cidrs: [192.0.2.0/24]
omero:
  server:
    image: openmicroscopy/omero-server:5.6.18
"""


def test_a_file_keeps_its_mode_and_its_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_bytes(MINIMAL.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    workspace_file.write(path, "lab", {"omero.server.image": f"openmicroscopy/omero-server:5.6.18@sha256:{'b' * 64}"})
    text = path.read_bytes().decode()
    assert text == MINIMAL.replace("5.6.18", f"5.6.18@sha256:{'b' * 64}").replace("\n", "\r\n")
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "lab.yaml").write_text(MINIMAL)
    (tmp_path / "lab.yaml").symlink_to(kept / "lab.yaml")
    workspace_file.write(tmp_path / "lab.yaml", "lab", {KEY: IMAGE})
    assert (tmp_path / "lab.yaml").is_symlink()
    assert yaml.safe_load((kept / "lab.yaml").read_text())["omero"]["web"]["image"] == IMAGE


def test_a_workspace_with_a_fault_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(MINIMAL)
    with pytest.raises(Refused, match="CVE-2026-22186"):
        workspace_file.write(path, "lab", {KEY: IMAGE, "omero.server.image": "openmicroscopy/omero-server:5.6.16"})
    assert path.read_text() == MINIMAL
