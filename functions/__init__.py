"""What runs in AWS Lambda: each function is one readable file that needs Python and boto3 only, packed at synthesis."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parent
# Zip knows no time before; a file's own would make every checkout's archive another one.
EPOCH = (1980, 1, 1, 0, 0, 0)


def archive(name: str) -> bytes:
    """The zip file of the function `name`, the same byte for byte wherever it is made.

    Raises:
        FileNotFoundError: there is no such function.
    """
    content = (FOLDER / f"{name}.py").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        about = zipfile.ZipInfo(f"{name}.py", EPOCH)
        about.create_system = 3  # Unix, also where it is packed on Windows
        about.external_attr = 0o644 << 16
        # Stored, for what zlib makes of it differs between its versions.
        target.writestr(about, content, zipfile.ZIP_STORED)
    return packed.getvalue()
