"""Data for programs, on stdout; what is for people goes to stderr (`scripts.console`)."""

from __future__ import annotations

import json
import sys
from typing import Any


def write_json(data: Any) -> None:
    """Write data as JSON, at once: somebody may be waiting for it."""
    sys.stdout.write(json.dumps(data, indent=2) + "\n")
    sys.stdout.flush()
