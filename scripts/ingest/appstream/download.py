"""Files from a path or a URL, with the checksum that they must have."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

from scripts import console
from scripts.errors import Failed, Refused
from scripts.ingest.appstream.package import MOST_BYTES, sha256_of
from scripts.process import LINE_INTERVAL

TIMEOUT = 60  # seconds without a byte
_CHUNK = 1 << 20


def fetch(location: str, *, sha256: str, folder: Path, key: str) -> Path:
    """The file, in place if `location` is a path, else in `folder`. `key` is the setting's name.

    Raises:
        Refused: it is not there, too large, or another one than its checksum says.
        Failed: the download broke off.
    """
    path = _download(location, folder, key) if "://" in location else Path(location)
    if not path.is_file():
        raise Refused(f"{location} is not a file; give a path or an https:// URL in {key}.")
    if (size := path.stat().st_size) > MOST_BYTES:
        raise Refused(f"{location} has {size / 1e9:.2f} GB; give a file of up to {MOST_BYTES / 1e9:.1f} GB in {key}.")
    if (found := sha256_of(path)) != sha256:
        raise Refused(
            f"{location} has the SHA-256 {found}, and {key}_sha256 is {sha256}; download it again from its "
            "publisher, or correct the checksum if you mean the new file."
        )
    return path


def _download(url: str, folder: Path, key: str) -> Path:
    target = folder / (url.split("?", maxsplit=1)[0].rstrip("/").rpartition("/")[2] or "download")
    part = target.with_name(f"{target.name}.part")
    begun = said = time.monotonic()
    try:
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT) as answer,  # noqa: S310 - https by the settings' rule
            part.open("wb") as file,
            console.status(f"fetching {url}") as show,
        ):
            expected, done = int(answer.headers.get("Content-Length") or 0), 0
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if done > MOST_BYTES:
                    raise Refused(
                        f"{url} has more than {MOST_BYTES / 1e9:.1f} GB, the maximum for {key}; give a smaller file."
                    )
                line = f"downloading {url}: {done / 1e6:.0f} of {expected / 1e6:.0f} MB"
                show(line)
                if not console.err.is_terminal and time.monotonic() - said >= LINE_INTERVAL:
                    said = time.monotonic()
                    console.say(line)
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise Failed(f"{url} could not be downloaded ({reason}); check the URL in {key} and the network.") from error
    part.replace(target)
    console.say(f"downloaded {url}: {done / 1e6:.0f} MB in {time.monotonic() - begun:.0f} s")
    return target
