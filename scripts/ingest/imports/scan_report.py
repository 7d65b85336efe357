"""What a scan found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from containers.importer import entries
from scripts import console
from scripts.console import counted
from scripts.errors import Failed
from scripts.ingest.imports import report


def show(result: Mapping[str, Any], root: bytes) -> None:
    """Say what was found, and what was not taken.

    Raises:
        Failed: nothing was found, or folders could not be read.
    """
    console.say(
        f"{counted(result['filesets'], 'fileset')} under {entries.shown(root)} "
        f"({counted(result['files'], 'file')}, "
        f"{report.size(result['bytes'])}): {result['new']} new, {result['renewed']} changed and to be imported "
        f"again, {result['known']} known, {result['imported']} already imported"
    )
    if result["unstable"]:
        console.say(
            f"still changing, or just appeared or disappeared: {counted(result['unstable'], 'fileset')}; scan "
            "again when complete"
        )
    if result["changed"]:
        console.say(
            f"changed since the import: {counted(result['changed'], 'fileset')}; OMERO may not be able to show "
            "their images"
        )
    for kind, text in (
        ("faulty", "cannot be imported"),
        ("changed", "changed since"),
        ("unstable", "changes"),
    ):
        for name in result["samples"].get(kind, [])[:5]:
            console.say(f"  {text}: {entries.shown(bytes.fromhex(name))}")
    if result["ignored"]:
        console.say(f"ignored, because they are not images and no image needs them: {_kinds(result['ignored'])}")
    if result.get("not_taken"):
        console.say(
            f"not taken, though OMERO may read some of them, because other programs' files look alike: "
            f"{_kinds(result['not_taken'])}; docs/formats.md says which, and how to have them imported"
        )
    if result["links"]:
        console.say(f"not followed: {counted(result['links'], 'symbolic link')}")
    if result.get("odd"):
        console.say(f"pipes, sockets and devices that were not opened: {result['odd']}")
    if result["unreadable_count"]:
        first = entries.shown(bytes.fromhex(result["unreadable"][0]))
        reason = f" ({result['unreadable_reason']})" if result.get("unreadable_reason") else ""
        raise Failed(
            f"{counted(result['unreadable_count'], 'folder')} could not be read, the first {first}{reason}; let "
            "uid 1000 read them, or shorten their paths, and run `imports scan` again."
        )
    if not result["filesets"]:
        raise Failed(
            f"no file that OMERO imports was found under {entries.shown(root)}; check the folder, and the ignored "
            "files above."
        )


def _kinds(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{suffix} {count}" for suffix, count in list(counts.items())[:10])
