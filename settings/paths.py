"""Where OMERO.server has its files, in its container as on the file system."""

from __future__ import annotations

DATA_DIR = "/OMERO"
"""`omero.data.dir`; OMERO's images set it too."""

OWN_FOLDERS = (
    "BioFormatsCache", "DropBox", "Files", "FullText", "ManagedRepository", "Pixels", "Thumbnails", "certs",
)  # fmt: skip
"""What OMERO.server makes below its data directory, and reads or deletes as its own."""
