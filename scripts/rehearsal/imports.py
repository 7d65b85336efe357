"""The part of a rehearsal that imports: slides below /OMERO are found, imported once and verified by `imports`.

The worker beside the server really runs here, with a stand-in for OMERO's command line
(scripts/rehearsal/stand_ins/README.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import Failed
from settings.load import ROOT

FOLDER = "/OMERO/Rehearsal"
# Names that go wrong wherever one is quoted, or taken for a command, and a fileset of several files.
SLIDES = ("slide 1 of 2 (40 µm), 'März' & $HOME 100%.tif", '$(reboot) "2".svs', "--target.ndpi")
FILESET = ("scan.vsi", "_scan_/stack1/frame_t.ets", "_scan_/stack2/frame_t.ets")
TARGET = "Dataset:name:rehearsal"


def import_(environ: Mapping[str, str], folder: Path, omero: Path) -> None:
    """Import some slides as a person would. `omero` is what containers see as /OMERO; `folder` is for logs.

    Raises:
        Failed: a command did, a slide is not in OMERO exactly once, or a second run found something to import.
    """
    for number, name in enumerate((*SLIDES, *FILESET)):
        path = omero / FOLDER.removeprefix("/OMERO/") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"II*\0" + bytes([number]) * 1000)
    expected = sorted(f"{FOLDER}/{name}" for name in (*SLIDES, FILESET[0]))
    imports(environ, folder, "scan", FOLDER, "--settle", "1")
    run = ("run", "--under", FOLDER, "--target", TARGET)
    imports(environ, folder, *run, "--create-target")
    again = json.loads(imports(environ, folder, *run, "--json"))
    if again["imported"] or again["already"]:
        raise Failed(f"a second `imports run` would have imported something: {again}.")
    imports(environ, folder, "verify")
    rows: list[dict[str, Any]] = json.loads(imports(environ, folder, "report", "--under", FOLDER))
    imported = sorted(row["path"] for row in rows if row["state"] == "imported" and row["images"])
    if imported != expected:
        raise Failed(f"the ledger has {imported} as imported instead of {expected}.")


def imports(environ: Mapping[str, str], folder: Path, *words: str) -> str:
    """Run `imports` with these words; what it writes to stdout. All of it goes to a log in `folder`.

    Raises:
        Failed: it did; with its own last line.
    """
    done = subprocess.run(
        [sys.executable, "-m", "scripts.main", "imports", *words],
        cwd=ROOT,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    with (folder / "imports.log").open("a", encoding="utf-8") as log:
        log.write(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [""]
        raise Failed(f"`imports {words[0]}` ended with exit code {done.returncode}: {last[0]}")
    return done.stdout
