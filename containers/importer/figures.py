"""What the worker says of arrivals each minute, in a line of its log that CloudWatch makes metrics of."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass

# Between lines.
SECONDS = 60.0
# Between readings of the ledger while something waits, beside those that looks and scans make.
FRESH_SECONDS = 300.0


@dataclass
class Figures:
    """`waiting` filesets were found and are not imported, the oldest `since` (seconds since 1970; 0: none waits); of
    folders that have changed and were not scanned yet, the first did `unscanned` (the same). `failed` need a person."""

    waiting: int = 0
    failed: int = 0
    since: float = 0.0
    unscanned: float = 0.0
    told: int = 0

    def say(self, *, arriving: int, imported: int) -> None:
        """Write the line: `arriving` filesets still change, `imported` were imported by this worker."""
        oldest = min((each for each in (self.since, self.unscanned) if each), default=0.0)
        said = {
            "oldest_seconds": max(0, round(time.time() - oldest)) if oldest else 0,
            "waiting": self.waiting,
            "arriving": arriving,
            "failed": self.failed,
            "imported": imported - self.told,
        }
        self.told = imported
        sys.stdout.write(json.dumps({"arrivals": said}) + "\n")
        sys.stdout.flush()
