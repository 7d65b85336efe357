"""Durations of the stand-in, in seconds; read from the environment once, when the server starts."""

from __future__ import annotations

from local_aws.clock import seconds

# The least time that an execution spends in each of LAUNCHING, PREPARING, TRANSFERRING and VERIFYING.
STATE_SECONDS = seconds("LOCAL_AWS_DATASYNC_STATE_SECONDS", 1)
