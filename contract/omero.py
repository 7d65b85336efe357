"""What is true of OMERO itself, wherever it runs: its files, its user, its ports."""

from __future__ import annotations

from settings.paths import DATA_DIR, OWN_FOLDERS

__all__ = ["DATA_DIR", "GID", "OWN_FOLDERS", "SERVER_PORT", "TRANSPORTS", "UID", "WEB_PORT"]

UID = 1000
"""The user that OMERO.server and OMERO.web run as in OME's images, and whose files /OMERO holds."""
GID = 1000
"""That user's group."""

SERVER_PORT = 4064
"""Port of OMERO.server for clients over TLS (Glacier2's router)."""
TRANSPORTS = {"ssl": SERVER_PORT, "tcp": 4063, "wss": 4066, "ws": 4065}
"""What a client may speak to the server, by the name of its transport in `omero.client.icetransports`."""
WEB_PORT = 4080
"""Port of OMERO.web in its container."""
