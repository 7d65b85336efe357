"""Faults on request, the one way in which things go wrong here: what a script has to live with on AWS.

`/_local/<service>/faults` of the server's endpoint takes, by POST, `{"<what>": ["<fault>", ...]}`: the next calls of an
action, or the next things of a kind (such as tasks of ECS), meet these faults, one each, in order. GET shows what is
left, DELETE drops it. `<service>` is botocore's name of any service. A fault is one of

- an error code of the service, which the call answers, and nothing is done; `CODE: MESSAGE` to have these words;
- `throttled`: the code with which the service says that it is asked too often;
- `lost`: the action is done, and the call answers an error of the server all the same;
- a word of the action's or the thing's own, such as a state in which what began ends.

Codes, statuses and messages are those of botocore's model, which names the errors of all services but EC2 and S3: these
two take any code. What the model leaves out is in https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html;
for EC2 and S3 it is on their pages of error codes (RequestLimitExceeded, SlowDown).

Faults of a kind that a service lists as `standing` (such as `image` of ECS) are met by every such thing, until DELETE.
Calls meet those of actions in the application, or in moto's mocks where a test has no server (`install`).
"""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber, MockRawResponse
from moto.core.utils import get_service_model

from local_aws import errors

LOST, THROTTLED = "lost", "throttled"
_ANY = {"ec2", "s3"}  # botocore's models do not name their errors
_PATH = re.compile(r"/_local/([a-z0-9-]+)/faults")
# By protocol: what is said to who asks too often, and an error of the server's own.
_TOO_OFTEN = {"ec2": ("RequestLimitExceeded", 503), "rest-xml": ("SlowDown", 503), "query": ("Throttling", 400)}
_OWN_ERROR = {"ec2": "InternalError", "rest-xml": "InternalError"}
_COMMON = {"AccessDenied": 403, "AccessDeniedException": 400, "InternalFailure": 500, "ServiceUnavailable": 503}
_SAYS = {"AccessDeniedException": "User is not authorized to perform this action."}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An error that a call answers; `members` are further members of its document."""

    code: str
    message: str
    status: int
    members: Mapping[str, str] = field(default_factory=dict)


class Faults:
    """The faults that wait for one service."""

    def __init__(
        self,
        service: str,
        *,
        words: Mapping[str, str] | None = None,
        standing: Collection[str] = (),
        messages: Mapping[str, str] | None = None,
        members: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """`service`: botocore's name; these faults are its only ones from now on.

        `words`: patterns of the further faults of an action or a kind of thing; those of the kinds in `standing` are
        not used up. `messages` and `members` are of error codes whose message and members the model does not have.
        """
        self._service, self._words, self._standing = service, words or {}, standing
        self._messages, self._members = messages or {}, members or {}
        self._waiting: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self._model: Any = get_service_model(service)
        self._errors = _errors(self._model)
        _services[service] = self

    def before(self, action: str) -> Fault | None:
        """The error that this call answers and nothing else, if one is due."""
        code = self._next(action, lambda fault: fault == THROTTLED or (fault != LOST and self._is_code(action, fault)))
        if code is None:
            return None
        code, _, said = code.partition(": ")
        fault = self._fault(self._too_often if code == THROTTLED else code)
        return replace(fault, message=said) if said else fault

    def after(self, action: str) -> Fault | None:
        """The error that a call answers that was done, if its answer is lost."""
        lost = self._next(action, lambda fault: fault == LOST)
        return self._fault(self._own_error(action)) if lost else None

    def take(self, what: str) -> str | None:
        """The word that is due for this action or this thing, if one is; it is met once."""
        return self._next(what, lambda fault: self._is_word(what, fault))

    def stand(self, what: str) -> tuple[str, ...]:
        """The words that every thing of this kind meets."""
        assert what in self._standing, what  # noqa: S101 - a fault of the caller
        return tuple(self._waiting.get(what, ()))

    def _next(self, what: str, wanted: Any) -> str | None:
        with self._lock:
            waiting = self._waiting.get(what)
            return waiting.pop(0) if waiting and wanted(waiting[0]) else None

    def _is_word(self, what: str, fault: str) -> bool:
        return bool(re.fullmatch(self._words.get(what, "(?!)"), fault))

    def _is_code(self, what: str, fault: str) -> bool:
        if self._is_word(what, fault):
            return False
        fault = fault.partition(": ")[0]
        known = fault in self._errors or fault in _COMMON or fault == self._too_often
        return known or (self._service in _ANY and bool(re.fullmatch(r"[A-Z][A-Za-z.]+", fault)))

    @property
    def _too_often(self) -> str:
        return _TOO_OFTEN.get(self._model.protocol, ("ThrottlingException", 400))[0]

    def _own_error(self, action: str) -> str:
        """The code of an error of the server's own: the action's, or else the protocol's."""
        own = (_code(shape) for shape in self._model.operation_model(action).error_shapes if _status(shape) >= 500)
        return next(own, _OWN_ERROR.get(self._model.protocol, "InternalFailure"))

    def _fault(self, code: str) -> Fault:
        status, said = self._errors.get(code, (_COMMON.get(code, 400), _SAYS.get(code, "")))
        if code == self._too_often:
            status, said = _TOO_OFTEN.get(self._model.protocol, (code, 400))[1], "Rate exceeded"
        elif code == _OWN_ERROR.get(self._model.protocol):
            status = 500
        message = self._messages.get(code) or said or "The request failed."
        return Fault(code=code, message=message, status=status, members=self._members.get(code, {}))

    def add(self, what: str, *faults: str) -> None:
        """Let the next calls of an action, or the next things, meet these. Raises ValueError for unknown faults."""
        is_action = what in self._model.operation_names
        if not is_action and what not in self._words:
            raise ValueError(f"{what!r} is no action of {self._service}, nor one of {', '.join(self._words)}")
        for each in faults:
            known = is_action and (each in (LOST, THROTTLED) or self._is_code(what, each))
            if not known and not self._is_word(what, each):
                allowed = [LOST, THROTTLED, *sorted({*self._errors, *_COMMON})] if is_action else []
                allowed += [self._words[what]] if what in self._words else []
                raise ValueError(f"{each!r} is no fault of {what}; {', '.join(allowed)} are")
        with self._lock:
            self._waiting.setdefault(what, []).extend(faults)

    def clear(self) -> None:
        """Drop what is left."""
        with self._lock:
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


_services: dict[str, Faults] = {}


def of(service: str) -> Faults | None:
    """Those of a service, by botocore's name; None for a name that botocore does not have."""
    if service not in _services:
        try:
            return Faults(service)
        except Exception:  # botocore's own, for a service it does not know
            return None
    return _services[service]


def at(path: str) -> Faults | None:
    """Those that a path of the server is for."""
    named = _PATH.fullmatch(path)
    return of(named[1]) if named else None


def _errors(model: Any) -> dict[str, tuple[int, str]]:
    """Status and first sentence of the documentation of each error that a service's model names."""
    return {_code(shape): (_status(shape), _sentence(shape.documentation)) for shape in model.error_shapes}


def _code(shape: Any) -> str:
    return str(shape.metadata.get("error", {}).get("code") or shape.name)


def _status(shape: Any) -> int:
    told = shape.metadata.get("error", {}).get("httpStatusCode")
    return int(told or (500 if shape._shape_model.get("fault") else 400))


def _sentence(documentation: str) -> str:
    text = html.unescape(re.sub(r"<[^>]+>", "", documentation or "")).strip()
    return " ".join(re.split(r"(?<=\.)\s", text, maxsplit=1)[0].split())


def install() -> None:
    """Let calls of moto's mocks meet faults, too."""
    stub = BotocoreStubber.__call__

    def call(self: Any, event_name: str, request: Any, **named: Any) -> Any:
        action = event_name.rpartition(".")[2]
        service = errors.service(str(request.headers.get("Authorization", "")))
        faults = of(service) if self.enabled else None
        if faults is None:
            return stub(self, event_name, request, **named)
        fault = faults.before(action)
        if fault is None:
            answer = stub(self, event_name, request, **named)
            if answer is None or answer.status_code >= 400 or (fault := faults.after(action)) is None:
                return answer
        has_target = "X-Amz-Target" in request.headers
        content_type, body = errors.document(service, fault.code, fault.message, has_target=has_target, **fault.members)
        headers = HTTPHeaders()
        for name, value in (("Content-Type", content_type), *errors.headers(fault.code)):
            headers[name] = value
        return AWSResponse(request.url, fault.status, headers, MockRawResponse(body))

    BotocoreStubber.__call__ = call
