"""Stand-in programs for containers, in a folder that somebody else has: how it is named, and what running them takes.

`local_aws.services.ecs.images` says what such a folder holds.
"""

import subprocess

# The setting that names the folder; without it, no container runs.
VARIABLE = "LOCAL_AWS_STAND_INS"
# What a container is made of (local_aws/sandbox.py), asked of util-linux.
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--ipc", "--uts", "--fork", "true")


def can_run() -> bool:
    """Whether this machine lets its user make containers: a Linux with user namespaces."""
    try:
        return subprocess.run(_NAMESPACES, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
