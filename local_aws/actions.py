"""The one way in which a service answers actions here: tables of functions, put into moto's class of responses.

`add` takes functions of the backend and of what was asked (parameters with the API's names), which return the answer's
members, or None for an answer without any. `wrap` takes functions that in addition get moto's own action, a function
without arguments that returns the result of its answer. Both read requests and write answers by botocore's model of
the service, whatever its protocol. What changes moto's models and not an action is not done here: see README.md.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores

from local_aws import validation

Json = dict[str, Any]
Action = Callable[[Any, Json], Json | None]
Moto = Callable[[], Json]
Wrapper = Callable[[Any, Json, Moto], Json | None]


def add(
    response: Any,
    backend: str,
    actions: Mapping[str, Action],
    *,
    before: Callable[[Any, str], None] | None = None,
    invalid: Callable[[str], Exception] | None = None,
) -> None:
    """Have moto's class `response` answer `actions`, by AWS's names; `backend` is its attribute for its backend.

    `before` is called with the backend and the action's name before each. `invalid` makes the error for a request that
    breaks the constraints of the service's model, which is not checked without it.
    """

    def answering(name: str, action: Action) -> Callable[[Any], ActionResult]:
        @functools.wraps(action)
        def answer(self: Any) -> ActionResult:
            whose, asked = getattr(self, backend), _asked(self)
            if before is not None:
                before(whose, name)
            if invalid is not None and (wrong := validation.violations(self.boto3_service_name, name, asked)):
                raise invalid(wrong)
            return ActionResult(action(whose, asked))

        return answer

    for name, action in actions.items():
        setattr(response, camelcase_to_underscores(name), answering(name, action))


def wrap(response: Any, backend: str, wrappers: Mapping[str, Wrapper]) -> None:
    """Put functions around moto's own actions, by AWS's names; the rest is as for `add`."""

    def around(name: str, wrapper: Wrapper, original: Callable[[Any], Any]) -> Callable[[Any], ActionResult]:
        @functools.wraps(original)
        def answer(self: Any) -> ActionResult:
            asked = _asked(self)
            return ActionResult(wrapper(getattr(self, backend), asked, lambda: _members(original(self))))

        return answer

    for name, wrapper in wrappers.items():
        method = camelcase_to_underscores(name)
        setattr(response, method, around(name, wrapper, getattr(response, method)))


def _members(answer: Any) -> Json:
    """What moto answers: a result, or the text of a JSON document."""
    found: Json = answer.result if isinstance(answer, ActionResult) else json.loads(answer)
    return found


def _asked(response: Any) -> Json:
    """The parameters of a request; moto has read them already where its class does so by the model, too."""
    if not response.automated_parameter_parsing:
        response.parse_parameters(response.normalized_request)
    return response.params  # type: ignore[no-any-return]
