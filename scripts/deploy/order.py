"""In which order stacks are deployed when one lets go of what another still uses.

cdktf deploys a stack before those that build on it. That is right for what is added. What is taken away has to be let
go by its users first: EC2 deletes no security group that a rule of another stack names, and OMERO.web should not ask a
cache that is gone. The outputs tell: a stack whose state has an output for other stacks that its synthesis lacks is
about to delete what those use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.errors import Refused

_SHARED = "cross-stack-output-"
_USED = re.compile(r"cross-stack-reference-input-(?P<stack>[\w-]+?)\.outputs\.(?P<output>cross-stack-output-[\w-]+)")

Outputs = Mapping[str, frozenset[str]]
"""The names of the outputs that each deployed stack has for others."""


def stacks(out: Path) -> dict[str, list[str]]:
    """The stacks that were synthesised into `out`, each after those it builds on, and what they build on."""
    waiting = {
        name: list(stack["dependencies"])
        for name, stack in json.loads((out / "manifest.json").read_text(encoding="utf-8"))["stacks"].items()
    }
    found: dict[str, list[str]] = {}
    while waiting:
        name = next(name for name in waiting if not set(waiting[name]) & set(waiting))
        found[name] = waiting.pop(name)
    return found


def deployed_outputs(states: Mapping[str, dict[str, Any]]) -> Outputs:
    """What stacks have for others, by their states."""
    return {
        name: frozenset(output for output in written.get("outputs", {}) if output.startswith(_SHARED))
        for name, written in states.items()
    }


def users_first(out: Path, deployed: Outputs) -> list[str]:
    """Stacks to deploy before all others, because they use what another stack is about to delete.

    Raises:
        Refused: such a stack also needs something that is not there yet.
    """
    built = stacks(out)
    texts = {name: (out / "stacks" / name / "cdk.tf.json").read_text(encoding="utf-8") for name in built}
    losing = {
        name
        for name, outputs in deployed.items()
        if name in built and outputs - set(json.loads(texts[name]).get("output", {}))
    }
    first = [name for name, needs in built.items() if name in deployed and losing & set(needs)]
    for name in first:
        if missing := sorted(_missing(texts[name], deployed)):
            raise Refused(
                f"the stack {name} would have to let go of what {' and '.join(sorted(losing))} deletes before "
                f"{missing[0]} is created, which it needs; make the two changes one after the other, with a deployment "
                "for each."
            )
    return first


def _missing(text: str, deployed: Outputs) -> set[str]:
    """What a stack uses of others that is not in their states."""
    return {
        f"{used['output'].removeprefix(_SHARED)} of {used['stack']}"
        for used in _USED.finditer(text)
        if used["output"] not in deployed.get(used["stack"], ())
    }
