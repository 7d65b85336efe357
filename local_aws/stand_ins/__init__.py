"""Stand-ins for programs of other people's container images; README.md says how they run."""

import subprocess
from pathlib import Path

# What LOCAL_AWS_STAND_INS names to have containers of these images run.
VARIABLE = "LOCAL_AWS_STAND_INS"
IMAGES = Path(__file__).resolve().parent / "images"
# What a container is made of (local_aws/sandbox.py), asked of util-linux.
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--ipc", "--uts", "--fork", "true")


def can_run() -> bool:
    """Whether this machine lets its user make containers: a Linux with user namespaces."""
    try:
        return subprocess.run(_NAMESPACES, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
