"""OMERO.dropbox's settings: what `omero-aws dropbox` keeps, and server.sh takes when a read-write server starts.

They are kept on OMERO's file system, where many may write: so only data is kept, of which this makes OMERO's commands
if it is exactly what `omero-aws dropbox` writes. Where it is not, DropBox is left out, and the log says why.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

KEPT = "/OMERO/.omero-on-aws/dropbox.json"
COMMANDS = "/opt/omero/server/config/90-dropbox.omero"
PROPERTIES = ("omero.fs.watchDir", "omero.fs.importUsers", "omero.fs.importArgs", "omero.server.nodedescriptors")
TRANSFERS = ("ln_s", "ln", "cp", "upload")
# DropBox hands its arguments to Java, which does not know `--skip`: these are what omero-py makes of it.
SKIPS = {
    "checksum": "--checksum-algorithm=File-Size-64",
    "thumbnails": "--no-thumbnails",
    "minmax": "--no-stats-info",
    "upgrade": "--no-upgrade-check",
}
# All of OMERO.server's parts but DropBox (omero-py's util/_process_defaultxml.py). An empty `importUsers` would not do:
# to Ice an empty property is none, and DropBox then watches its default folder.
WITHOUT = "master:Blitz-0,Indexer-0,MonitorServer,FileServer,Storm,PixelData-0,Processor-0,Tables-0,TestDropBox"
OFF: dict[str, Any] = {"enabled": False}
_BYTES = 65536


def import_args(target: str, transfer: str, skip: tuple[str, ...] | list[str]) -> str:
    """`omero.fs.importArgs`: DropBox splits it as a shell would, after it has split values for its users at `;`.

    The check for a newer OMERO is always skipped: no security group lets it out, and each file would wait 10 seconds.
    """
    words = [*(["-T", target] if target else []), f"--transfer={transfer}"]
    words += [option for name, option in SKIPS.items() if name in (*skip, "upgrade") or "all" in skip]
    return shlex.join(words)


def fault(kept: Any) -> str:
    """What is wrong with what is kept; empty if nothing is."""
    if kept == OFF:
        return ""
    if not isinstance(kept, dict) or set(kept) != {"enabled", "watch", "target", "transfer", "skip"}:
        return "it has other keys"
    watch, target, skip = kept["watch"], kept["target"], kept["skip"]
    for text in (watch, target):
        if not isinstance(text, str) or not text.isprintable() or ";" in text:
            return f"{text!r} is no text, or has a character that separates values"
    if kept["enabled"] is not True or os.path.normpath(watch) != watch or not watch.startswith("/"):
        return f"{watch!r} is no folder"
    if kept["transfer"] not in TRANSFERS:
        return f"{kept['transfer']!r} is no transfer"
    if not isinstance(skip, list) or not all(each in (*SKIPS, "all") for each in skip):
        return f"{skip!r} can not be skipped"
    return ""


def commands(kept: dict[str, Any]) -> str:
    """What `omero load` reads: a command of OMERO's a line. An empty value is OMERO's default."""
    values = ["", "", "", WITHOUT]
    if kept["enabled"]:
        values = [kept["watch"], "default", import_args(kept["target"], kept["transfer"], kept["skip"]), ""]
    return "".join(
        f"config set -- {name} {shlex.quote(value)}\n" for name, value in zip(PROPERTIES, values, strict=True)
    )


def read() -> Any:
    """What is kept. Raises OSError for what is not a file, on which a server's start may not wait, and ValueError."""
    file = os.open(KEPT, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return json.loads(os.read(file, _BYTES))
    finally:
        os.close(file)


def main() -> None:
    """Make the file of commands; leave DropBox out where what is kept is not to be trusted."""
    kept = OFF
    try:
        kept = read()
        wrong = fault(kept)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        wrong = str(error)
    if wrong:
        sys.stderr.write(f"{KEPT} is not what `omero-aws dropbox` writes ({wrong}): OMERO.dropbox is left out\n")
        kept = OFF
    Path(COMMANDS).write_text(commands(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
