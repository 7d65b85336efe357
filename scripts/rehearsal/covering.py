"""Which examples add anything: the resources and attributes of synthesised stacks, and a few examples that have all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Feature = tuple[str, ...]
"""An address (stack, type, name), or an attribute that a type has somewhere (type, and its path without indices)."""


def features(out: Path) -> frozenset[Feature]:
    """What the stacks below a `cdktf.out` folder have, whatever the values are.

    A definition of containers counts by what is in it: a variable that a container has is as good as an attribute.
    """
    found: set[Feature] = set()
    for path in out.glob("stacks/*/cdk.tf.json"):
        stack = json.loads(path.read_text(encoding="utf-8"))
        for kind in ("resource", "data"):
            for type_, blocks in stack.get(kind, {}).items():
                for name, block in blocks.items():
                    found.add((path.parent.name, type_, name))
                    found |= {(type_, *attribute) for attribute in _attributes(block)}
    return frozenset(found)


def _attributes(value: Any, at: Feature = ()) -> Iterator[Feature]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "container_definitions":
                yield from _containers(json.loads(inner))
            elif key != "//":
                yield (*at, key)
                yield from _attributes(inner, (*at, key))
    elif isinstance(value, list):
        for inner in value:
            yield from _attributes(inner, at)


def _containers(containers: Sequence[Mapping[str, Any]]) -> Iterator[Feature]:
    for container in containers:
        yield from _attributes(container, ("container",))
        for key in ("environment", "secrets"):
            yield from (("container", container["name"], key, variable["name"]) for variable in container[key])


def covering(examples: Mapping[str, frozenset[Feature]]) -> tuple[str, ...]:
    """A few examples that have every feature of all, the one with most that is new first.

    Greedy: a smallest set is not worth more, for what counts is that nothing is left out.
    """
    chosen: list[str] = []
    missing = set().union(*examples.values())
    while missing:
        best = max(sorted(examples), key=lambda name: len(examples[name] & missing))
        chosen.append(best)
        missing -= examples[best]
    return tuple(chosen)
