"""What ElastiCache holds beside moto's own, for each account and region."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from moto.elasticache.exceptions import ElastiCacheException

Json = dict[str, Any]


@dataclass
class State:
    """Everything by its name, as a response describes it; keys that begin with "_" are not shown."""

    subnet_groups: dict[str, Json] = field(default_factory=dict)
    replication_groups: dict[str, Json] = field(default_factory=dict)
    users: dict[str, Json] = field(default_factory=dict)
    user_groups: dict[str, Json] = field(default_factory=dict)


def state_of(backend: Any) -> State:
    """The state that goes with moto's backend, and is reset with it."""
    if not hasattr(backend, "_local_state"):
        backend._local_state = State()
    return backend._local_state  # type: ignore[no-any-return]


def arn(backend: Any, kind: str, name: str) -> str:
    return f"arn:{backend.partition}:elasticache:{backend.region_name}:{backend.account_id}:{kind}:{name}"


def shown(thing: Json) -> Json:
    """Without what is for this stand-in alone, and without what is unset."""
    return {name: value for name, value in thing.items() if not name.startswith("_") and value is not None}


def error(code: str, message: str) -> ElastiCacheException:
    return ElastiCacheException(code, message)


def find(things: dict[str, Json], name: str | None, code: str, what: str) -> Json:
    """The thing of that name. Raises `code` where there is none."""
    found = things.get((name or "").lower())
    if found is None:
        raise error(code, f"{what} {name} not found.")
    return found


def several(things: dict[str, Json], name: str | None, code: str, what: str) -> list[Json]:
    """All of them, or the one that is named."""
    return [find(things, name, code, what)] if name else list(things.values())
