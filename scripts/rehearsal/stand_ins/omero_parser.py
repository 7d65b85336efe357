"""OMERO's own command-line parser (omero-py, `omero.cli` with all its plugins), to be asked over a socket.

`.tools/omero/bin/python omero_parser.py FOLDER` (scripts/deploy/omero_parts.py makes that Python) listens on
FOLDER/socket until its standard input ends. A question is a line of JSON, the words behind `omero`; so is the answer:
`ended`, whether the parser ended the program, as for a wrong line or for its help, with `code`; `stdout` and `stderr`;
and `parsed`, the values that are plain. stand_ins/omero/parser.py asks.
"""

# It runs on Python 3.10.
from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

PROGRAM = "/opt/omero/server/venv3/bin/omero"


def load() -> Any:
    """The parser, with all of omero-py's plugins."""
    sys.argv = [PROGRAM]
    import omero.cli  # noqa: PLC0415 - it looks at sys.argv

    # Files are those of who asks: whether they exist is not to be known here.
    for kind in ("ExistingFile", "NewFileType", "DirectoryType"):
        getattr(omero.cli, kind).__call__ = lambda _self, name: name
    cli = omero.cli.CLI(prog=PROGRAM)
    cli.loadplugins()
    return cli.parser


def answer(parser: Any, words: list[str]) -> dict[str, Any]:
    """What the parser makes of the words."""
    out, err = io.StringIO(), io.StringIO()
    parsed: dict[str, Any] = {}
    code, ended = 0, False
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            # As omero.cli.CLI.execute does.
            found = vars(parser.parse_args(words, None))
            parsed = {name: value for name, value in found.items() if _is_plain(value)}
        except SystemExit as error:
            code, ended = error.code if isinstance(error.code, int) else 1, True
    return {"ended": ended, "code": code, "stdout": out.getvalue(), "stderr": err.getvalue(), "parsed": parsed}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    return value is None or isinstance(value, str | int | float)


def _end_with_input() -> None:
    while os.read(0, 1):
        pass
    os._exit(0)


def main(folder: Path) -> None:
    """Serve one question a connection."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    os.chdir(folder)  # a socket's name has 107 characters at most
    Path("socket").unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        listening.listen(64)  # before it is loaded: who asks waits, and is not refused
        parser = load()
        while True:
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError, ValueError), connection.makefile("rw") as stream:
                stream.write(json.dumps(answer(parser, json.loads(stream.readline()))) + "\n")


if __name__ == "__main__":
    sys.path.pop(0)  # Python puts this folder there, in which `omero` is another
    main(Path(sys.argv[1]))
