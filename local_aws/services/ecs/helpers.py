"""A program beside all containers of an image, which stand-in programs ask: what they may not start themselves.

It is started once by a server, with its folder as its argument, listens there on the socket `socket`, and ends with its
standard input, which this server holds. Containers see the folder as /run/local-aws/helper.
"""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from local_aws.services.ecs.images import Image

_lock = threading.Lock()
_running: dict[tuple[str, ...], tuple[Path, subprocess.Popen[bytes]]] = {}


def place(image: Image, folder: Path) -> Path | None:
    """The helper's folder, made in `folder`; None where the image has none, or its program is not installed."""
    if not image.helper or not Path(image.helper[0]).exists():
        return None
    with _lock:
        found = _running.get(image.helper)
        if found is None or found[1].poll() is not None:
            at = folder / f"helper-{len(_running)}"
            at.mkdir(exist_ok=True)
            process = subprocess.Popen([*image.helper, str(at)], stdin=subprocess.PIPE, close_fds=True)
            found = _running[image.helper] = at, process
    return found[0]
