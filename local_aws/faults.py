"""Faults on request, the one way in which things go wrong here: what a script has to live with on AWS.

`/_local/<service>/faults` of the server's endpoint takes, by POST, `{"<what>": ["<fault>", ...]}`: the next calls of an
action, or the next things of a kind (such as tasks of ECS), meet these faults, one each, in order. GET shows what is
left, DELETE drops it. A fault is one of

- an error code of the service, which the call answers;
- `lost`: the action is done, and the call answers an error of the server all the same;
- a word of the action's or the thing's own, such as a state in which what began ends.

Faults of a kind that a service lists as `standing` (such as `image` of ECS) are met by every such thing, until DELETE.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from moto.core.utils import get_service_model

LOST = "lost"


class Faults:
    """The faults that wait for one service."""

    def __init__(
        self,
        service: str,
        *,
        errors: Mapping[str, str],
        lost: str,
        refusal: Callable[[str, str], Exception],
        words: Mapping[str, str],
        standing: Collection[str] = (),
    ) -> None:
        """`service`: botocore's name. `errors`: codes and messages that any action may answer; `lost` is one of them.

        `words`: patterns of the further faults of an action or a kind of thing; those of the kinds in `standing` are
        not used up. `refusal` makes the exception of a code and a message.
        """
        self.path = f"/_local/{service}/faults"
        self._service, self._errors, self._refusal = service, errors, refusal
        self._lost, self._words, self._standing = lost, words, standing
        self._waiting: dict[str, list[str]] = {}

    def before(self, action: str) -> None:
        """Raise the error that is due for this call, if one is."""
        waiting = self._waiting.get(action)
        if waiting and waiting[0] in self._errors:
            self._raise(waiting.pop(0))

    def after(self, action: str) -> None:
        """Raise where the answer of this call, which was done, is lost."""
        waiting = self._waiting.get(action)
        if waiting and waiting[0] == LOST:
            waiting.pop(0)
            self._raise(self._lost)

    def take(self, what: str) -> str | None:
        """The word that is due for this action or this thing, if one is; it is met once."""
        waiting = self._waiting.get(what)
        return waiting.pop(0) if waiting and waiting[0] != LOST and waiting[0] not in self._errors else None

    def stand(self, what: str) -> tuple[str, ...]:
        """The words that every thing of this kind meets."""
        assert what in self._standing, what  # noqa: S101 - a fault of the caller
        return tuple(self._waiting.get(what, ()))

    def _raise(self, code: str) -> None:
        raise self._refusal(code, self._errors[code])

    def add(self, what: str, *faults: str) -> None:
        """Let the next calls of an action, or the next things, meet these. Raises ValueError for unknown faults."""
        is_action = what in get_service_model(self._service).operation_names
        if not is_action and what not in self._words:
            raise ValueError(f"{what!r} is no action of {self._service}, nor one of {', '.join(self._words)}")
        for each in faults:
            allowed = [*self._errors, LOST] if is_action else []
            if each not in allowed and not re.fullmatch(self._words.get(what, "(?!)"), each):
                allowed += [self._words[what]] if what in self._words else []
                raise ValueError(f"{each!r} is no fault of {what}; {', '.join(allowed)} are")
        self._waiting.setdefault(what, []).extend(faults)

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
                for what, faults in asked.items():
                    self.add(what, *map(str, faults))
            except ValueError as error:
                return 400, {"message": str(error)}
        return 200, {what: faults for what, faults in self._waiting.items() if faults}
