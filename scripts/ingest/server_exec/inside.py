"""What runs a script in the server's container, and numbers what it prints. Its text is sent there (`frames.command`).

AWS's plugin shows a message of a session twice when the connection broke before it was acknowledged. So output goes in
frames, `{NUMBER KIND DATA CRC}` on a line each: `o` is standard output, `e` standard error, both in base64. `s` is the
first frame, for the plugin passes nothing on before it has shown something (session.go, ProcessFirstMessage); `x` is
the last, with the exit code.

It uses the standard library alone, as of Python 3.8: what OMERO's image has.
"""

from __future__ import annotations

import base64
import itertools
import os
import selectors
import signal
import subprocess
import termios
import time
import zlib

# Of the command's output in a frame: it fits into a message, which has 1,024 bytes (amazon-ssm-agent).
SIZE = 510
# Others may hold the command's output when it has ended.
REST_SECONDS = 0.5
_numbers = itertools.count()


def main(script: bytes) -> None:
    """Run it by bash; what it reads is empty."""
    _plain_terminal()
    # The terminal sends them to the script too, which does with them what it wants.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, lambda *_: None)
    _send("s", b"")
    child = subprocess.Popen(
        ["/bin/bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with selectors.DefaultSelector() as ready:
        for pipe, kind in ((child.stdout, "o"), (child.stderr, "e")):
            if pipe:
                ready.register(pipe, selectors.EVENT_READ, kind)
        ended = 0.0
        while ready.get_map() and not (ended and time.monotonic() - ended > REST_SECONDS):
            for key, _ in ready.select(0.1):
                some = os.read(key.fd, SIZE)
                if some:
                    _send(key.data, some)
                else:
                    ready.unregister(key.fileobj)
            if not ended and child.poll() is not None:
                ended = time.monotonic()
    code = child.wait()
    _send("x", b"%d" % (code if code >= 0 else 128 - code))


def frame(number: int, kind: str, data: bytes) -> str:
    """One as it is sent."""
    body = f"{number} {kind} {base64.b64encode(data).decode()}"
    return f"{{{body} {zlib.crc32(body.encode()):08x}}}\n"


def _send(kind: str, data: bytes) -> None:
    left = frame(next(_numbers), kind, data).encode()
    while left:  # a signal may come before all of it is written
        left = left[os.write(1, left) :]


def _plain_terminal() -> None:
    """Nothing is echoed between the frames, and Ctrl-C throws away none of them."""
    if os.isatty(1):
        mode = termios.tcgetattr(1)
        mode[1] &= ~termios.OPOST
        mode[3] = mode[3] & ~termios.ECHO | termios.NOFLSH
        termios.tcsetattr(1, termios.TCSANOW, mode)
