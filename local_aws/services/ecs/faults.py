"""The faults of ECS: of its actions, of a `task` that is about to start its programs, of a `session` of ECS Exec.

`image` marks an image, for every task that has it: `CannotPullContainerError IMAGE`, `CannotStartContainerError IMAGE`,
`exit IMAGE` (its container ends with exit code 1 as soon as it runs), `unhealthy IMAGE` (its health checks never pass)
and `slow:S IMAGE` (they pass S seconds after it has started; times LOCAL_AWS_TASK_CHECK_SCALE).
"""

from __future__ import annotations

from local_aws.faults import Faults

_SECONDS = r"\d+(\.\d+)?"

FAULTS = Faults(
    "ecs",
    words={
        "RunTask": "RESOURCE:(MEMORY|CPU|ENI)|AGENT",  # a failure in its answer
        "task": "CannotPullContainerError|ResourceInitializationError|CannotStartContainerError"
        f"|(OutOfMemory|kill|spot|pending):{_SECONDS}",
        "image": rf"(CannotPullContainerError|CannotStartContainerError|exit|unhealthy|slow:{_SECONDS}) \S+",
        "session": rf"drop:\d+|end:{_SECONDS}|mute",
    },
    standing=("image",),
)


def of_image(image: str) -> str | None:
    """The fault that an image is marked with, such as `unhealthy`."""
    marks = (mark.partition(" ") for mark in FAULTS.stand("image"))
    return next((fault for fault, _, marked in marks if marked == image), None)
