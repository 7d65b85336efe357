"""Statements of policy documents, and whether one holds for an action, a resource and the keys of a request.

Known are Action and NotAction, Resource and NotResource, Principal, the wildcards * and ?, and the operators below on
the keys in `KEYS`. Whatever else a statement says makes `holds` raise `NotEvaluated`, where the statement is about the
action and the resource: a right is neither given nor refused by guess.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# The operators that policies of ours have, with their negations.
_STRINGS = {"StringEquals", "StringNotEquals", "StringLike", "StringNotLike"}
_ARNS = {"ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"}
OPERATORS = _STRINGS | _ARNS | {"Bool", "Null"}

# Keys that a request has here wherever AWS gives it them. One that is not listed is not known to be absent.
KEYS = {
    "aws:principalaccount",
    "aws:principalarn",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "ecs:cluster",
    "elasticfilesystem:accessedviamounttarget",
    "elasticfilesystem:accesspointarn",
    "iam:passedtoservice",
    "kms:calleraccount",
    "kms:viaservice",
    "s3:prefix",
    "s3:x-amz-acl",
}
_PREFIXES = ("kms:encryptioncontext:",)
# Known of the calls that give it; of a Query nobody works it out here.
_LEADING_KEYS = "dynamodb:leadingkeys"


class NotEvaluated(NotImplementedError):
    """A policy says something that this AWS cannot evaluate; the message is one sentence."""


@dataclass(frozen=True)
class Statement:
    """One statement of a document. `policy` names the document, and `number` is its place there."""

    body: Mapping[str, Any]
    policy: str = ""
    number: int = 0

    @property
    def allows(self) -> bool:
        return self.body.get("Effect") == "Allow"

    @property
    def name(self) -> str:
        return str(self.body.get("Sid") or f"statement {self.number + 1}")

    @property
    def actions(self) -> list[str]:
        return texts(self.body.get("Action"))

    def is_about(self, action: str, resource: str) -> bool:
        """Whether it speaks of the action and the resource, its principals and conditions apart."""
        body = self.body
        if "Action" in body and not any_like(action, self.actions, fold=True):
            return False
        if "NotAction" in body and any_like(action, texts(body["NotAction"]), fold=True):
            return False
        if "Resource" in body and not any_like(resource, texts(body["Resource"])):
            return False
        return not ("NotResource" in body and any_like(resource, texts(body["NotResource"])))

    def holds(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether it is about the action and the resource, and its conditions are met.

        `context`: the keys of the request, in lower case. Raises NotEvaluated.
        """
        return self.is_about(action, resource) and all(
            self._meets(operator, key, texts(wanted), context)
            for operator, tests in (self.body.get("Condition") or {}).items()
            for key, wanted in tests.items()
        )

    def names(self, kind: str, names: Iterable[str]) -> bool:
        """Whether its Principal is everybody, or one of `names` of a kind (AWS, Service). Raises NotEvaluated."""
        if "NotPrincipal" in self.body:
            raise NotEvaluated(f"{self.name} of {self.policy} has NotPrincipal, which is not evaluated here")
        principal = self.body.get("Principal")
        if principal == "*":
            return True
        found = texts(principal.get(kind)) if isinstance(principal, dict) else []
        return any(each == "*" or each in names for each in found)

    def _meets(self, operator: str, key: str, wanted: list[str], context: Mapping[str, str]) -> bool:
        # A request with several values of a key has a need for each of them: each is compared.
        name, folded = operator.removesuffix("IfExists").removeprefix("ForAllValues:"), key.lower()
        known = folded in KEYS or folded.startswith(_PREFIXES) or (folded == _LEADING_KEYS and folded in context)
        if name not in OPERATORS or not known or any("${" in each for each in wanted):
            raise NotEvaluated(
                f"{self.name} of {self.policy} has the condition {operator} {key} {wanted}, which is not evaluated here"
            )
        value = context.get(folded)
        if name == "Null":
            return (value is None) == (wanted[0].lower() == "true")
        negated = "Not" in name
        if value is None:
            return operator != name or negated
        if name == "Bool":
            return value in [each.lower() for each in wanted]
        if name in _ARNS:
            return any(_arn_like(value, each) for each in wanted) != negated
        if name.endswith("Equals"):
            return (value in wanted) != negated
        return any_like(value, wanted) != negated


def statements(document: Any, policy: str = "") -> Iterator[Statement]:
    """Of a policy document, as text or parsed; none for what is no such document."""
    try:
        found = (json.loads(document) if isinstance(document, str) else document or {}).get("Statement") or []
    except (ValueError, AttributeError):
        return
    for number, body in enumerate([found] if isinstance(found, dict) else found):
        yield Statement(body, policy, number)


def texts(value: Any) -> list[str]:
    """What an element of a statement lists; AWS takes one value without a list."""
    return [str(each) for each in value] if isinstance(value, list) else [] if value is None else [str(value)]


def any_like(value: str, patterns: Iterable[str], *, fold: bool = False) -> bool:
    """Whether one of the patterns matches, with * and ? as wildcards."""
    return any(_pattern(each, fold).fullmatch(value) for each in patterns)


@functools.lru_cache(maxsize=4096)
def _pattern(text: str, fold: bool) -> re.Pattern[str]:
    made = "".join({"*": ".*", "?": "."}.get(each, re.escape(each)) for each in text)
    return re.compile(made, re.DOTALL | (re.IGNORECASE if fold else 0))


def _arn_like(value: str, pattern: str) -> bool:
    """ARNs are compared part by part: no wildcard reaches over one of the first five colons."""
    parts, wanted = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) and all(any_like(part, (each,)) for part, each in zip(parts, wanted, strict=True))
