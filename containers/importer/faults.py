"""What may come between a request and its result."""

from __future__ import annotations


class JobError(Exception):
    """It cannot be done; the message is one sentence for the operator."""


class Unreachable(Exception):
    """OMERO.server or AWS does not answer; the message is one sentence for the operator. It passes."""


class LockedElsewhere(Unreachable):
    """Another server has the lock of OMERO's repository: the worker beside that one can import."""
