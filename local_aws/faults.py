"""Faults on request, for the stand-in of one service: what a script has to live with on AWS.

`/_local/<service>/faults` of the server's endpoint takes, by POST, `{"<action>": ["<fault>", ...]}`: the next calls of
the action meet these faults, one each, in order. A fault is an error code of the service's model, which the call
answers, or a state in which what the action began ends. GET shows what is left, DELETE drops it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class Faults:
    """The faults that wait for the calls of one service."""

    def __init__(
        self, errors: Mapping[str, str], ends: Mapping[str, Sequence[str]], refusal: Callable[[str, str], Exception]
    ) -> None:
        """`errors`: codes and messages that any action may answer. `ends`: states and the actions that may end in them.

        `refusal` makes the exception of a code and a message.
        """
        self._errors, self._ends, self._refusal = errors, ends, refusal
        self._waiting: dict[str, list[str]] = {}

    def before(self, action: str) -> None:
        """Raise the error that is due for this call, if one is."""
        waiting = self._waiting.get(action)
        if waiting and waiting[0] in self._errors:
            code = waiting.pop(0)
            raise self._refusal(code, self._errors[code])

    def end_of(self, action: str, otherwise: str) -> str:
        """The state in which what an action began ends."""
        waiting = self._waiting.get(action)
        return waiting.pop(0) if waiting and waiting[0] not in self._errors else otherwise

    def add(self, action: str, *faults: str) -> None:
        """Let the next calls of an action meet these faults. Raises ValueError for a fault that it cannot have."""
        for each in faults:
            if each not in self._errors and action not in self._ends.get(each, ()):
                allowed = [*self._errors, *(state for state, actions in self._ends.items() if action in actions)]
                raise ValueError(f"{each!r} is no fault of {action}; {', '.join(allowed)} are")
        self._waiting.setdefault(action, []).extend(faults)

    def clear(self) -> None:
        """Drop what is left."""
        self._waiting.clear()

    def resource(self, method: str, body: bytes) -> tuple[int, Any]:
        """The HTTP resource: the status, and what it answers as JSON."""
        if method == "DELETE":
            self.clear()
        elif method == "POST":
            try:
                asked = json.loads(body)
                if not isinstance(asked, dict) or not all(isinstance(each, list) for each in asked.values()):
                    raise ValueError('faults are an object such as {"CreateUser": ["ThrottlingException"]}')
                for action, faults in asked.items():
                    self.add(action, *faults)
            except ValueError as error:
                return 400, {"message": str(error)}
        return 200, {action: faults for action, faults in self._waiting.items() if faults}
