"""The faults of ECS: of its actions, of a `task` that is about to start its programs, of a `session` of ECS Exec."""

from __future__ import annotations

from moto.ecs.exceptions import ECSException

from local_aws.faults import Faults

_SECONDS = r"\d+(\.\d+)?"

FAULTS = Faults(
    "ecs",
    errors={
        "ThrottlingException": "Rate exceeded",
        "ServerException": "Service Unavailable. Please try again later.",
        "ClusterNotFoundException": "Cluster not found.",
        "AccessDeniedException": "User is not authorized to perform this action.",
        "InvalidParameterException": "The parameter is invalid.",
        "TargetNotConnectedException": "The execute command failed due to an internal error. Try again later.",
    },
    lost="ServerException",
    refusal=ECSException,
    words={
        "RunTask": "RESOURCE:(MEMORY|CPU|ENI)|AGENT",  # a failure in its answer
        "task": "CannotPullContainerError|ResourceInitializationError|CannotStartContainerError"
        f"|(OutOfMemory|kill|spot|pending):{_SECONDS}",
        "session": rf"drop:\d+|end:{_SECONDS}|mute",
    },
)
