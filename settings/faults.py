"""Every fault of a section and of all below it, in one go: of values, and of rules that tie values together.

Pydantic runs a section's rules only when all of its values were accepted. This walk goes on with what was accepted.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from settings.fields import ONCE, Distinct, Settings, listed, rules
from settings.text import short, yaml_value

Location = tuple[str | int, ...]


class Found(NamedTuple):
    """Where, and what is wrong there: a sentence without full stop, of which the key is the subject if it says so."""

    at: Location
    sentence: str
    key_is_subject: bool = False

    def __str__(self) -> str:
        key = ".".join(map(str, self.at)) or "(top level)"
        return f"{key}{'' if self.key_is_subject else ':'} {self.sentence.removesuffix('.')}."


_ABSENT = object()


def faults(model: type[Settings], values: Any) -> list[Found]:
    """All that is wrong with `values` as a section of this model; empty if nothing is."""
    return _section(model, values, ())[1]


def _section(model: type[Settings], values: Any, at: Location) -> tuple[Any, list[Found]]:
    """The section with what was accepted, as far as there is one, and the faults of it and of all below it."""
    if isinstance(values, model):
        return values, []
    for name in _validators(model, "before"):
        values = getattr(model, name)(values)
    if not isinstance(values, dict):
        return _ABSENT, [Found(at, f"{yaml_value(values)} is not allowed; give keys and values under it, or remove it")]
    found = [Found((*at, key), _unknown(key, model), True) for key in values if key not in model.model_fields]
    accepted: dict[str, Any] = {}
    for key, field in model.model_fields.items():
        part: Any = _ABSENT
        if key in values:
            part, more = _value(model, key, values[key], (*at, key))
            found += more
        elif field.is_required():
            description = " ".join((field.description or "give a value").split())
            found.append(Found((*at, key), f"is required: {description}", True))
        else:
            part = _default(field, accepted)
        if part is not _ABSENT:
            accepted[key] = part
    section = model.__new__(model)
    object.__setattr__(section, "__dict__", accepted)
    object.__setattr__(section, "__pydantic_fields_set__", set(values) & set(model.model_fields))
    object.__setattr__(section, "__pydantic_extra__", None)
    object.__setattr__(section, "__pydantic_private__", None)
    return section, found + [Found(_joined(at, key), sentence) for key, sentence in _broken_rules(section)]


def _default(field: FieldInfo, accepted: dict[str, Any]) -> Any:
    try:
        return field.get_default(call_default_factory=True, validated_data=accepted)
    except KeyError:  # it follows from a value that was refused
        return _ABSENT


def _broken_rules(section: Settings) -> Iterator[tuple[str, str]]:
    """What the rules say about a section of which some keys may be missing."""
    for check in rules(type(section)):
        try:
            yield from check(section)
        except AttributeError:  # it reads what was refused
            continue
    for name in _validators(type(section), "after"):
        try:
            getattr(section, name)()
        except ValidationError:
            continue  # the rules again
        except ValueError as error:
            yield "", str(error)
        except AttributeError:
            continue


@cache
def _validators(model: type[Settings], mode: str) -> tuple[str, ...]:
    """Names of the model's own validators that run before or after its fields."""
    decorated = model.__pydantic_decorators__.model_validators
    return tuple(name for name, decorator in decorated.items() if decorator.info.mode == mode)


def _value(model: type[Settings], key: str, value: Any, at: Location) -> tuple[Any, list[Found]]:
    field = model.model_fields[key]
    kind, metadata = _bare(field.annotation, tuple(field.metadata))
    inner = _bare(next(iter(get_args(kind)), None), ())[0] if get_origin(kind) is tuple else kind
    if not (isinstance(inner, type) and issubclass(inner, Settings)) or (value is None and _optional(field)):
        return _leaf(model, key, value, at, metadata)
    if inner is kind:
        return _section(inner, value, at)
    if not isinstance(value, list | tuple):
        return _leaf(model, key, value, at, metadata)
    parts = [_section(inner, each, (*at, index)) for index, each in enumerate(value)]
    below = [fault for _, more in parts for fault in more]
    _, whole = _leaf(model, key, value, at, metadata)
    own = [fault for fault in whole if fault.at == at or fault.sentence.endswith(ONCE)]
    return tuple(None if part is _ABSENT else part for part, _ in parts), below + own


def _optional(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def _leaf(
    model: type[Settings], key: str, value: Any, at: Location, metadata: tuple[Any, ...]
) -> tuple[Any, list[Found]]:
    """A value without sections below it."""
    try:
        return _adapter(_annotated(model, key)).validate_python(value), []
    except ValidationError as error:
        refused = error.errors(include_url=False)
    found = [Found((*at, *where), said) for where, said in (_sentence(model, key, fault) for fault in refused)]
    if not isinstance(value, list | tuple):
        return _ABSENT, list(dict.fromkeys(found))
    # Pydantic looks for entries that are there twice when each was accepted.
    for distinct in (each for each in metadata if isinstance(each, Distinct) and refused[0]["type"] != "rule"):
        found += [Found(_joined(at, index), said) for index, said in distinct.faults(value)]
    return _entries(model, key, value), list(dict.fromkeys(found))


def _entries(model: type[Settings], key: str, values: list[Any] | tuple[Any, ...]) -> Any:
    """A list of which something was refused: the entries that were accepted, in their places."""
    kind, _ = _bare(model.model_fields[key].annotation, ())
    kinds = get_args(kind) if get_origin(kind) is tuple else ()
    fixed = len(kinds) > 1 and kinds[1] is not Ellipsis
    if not kinds or (fixed and len(kinds) != len(values)):
        return _ABSENT
    made = []
    for value in values:
        try:
            made.append(_adapter(kinds[0]).validate_python(value))
        except ValidationError:
            made.append(None)
    return tuple(made)


def _sentence(model: type[Settings], key: str, fault: Any) -> tuple[Location, str]:
    """Where below the key, and what is wrong there. The words are ours alone; what is allowed is in the schema."""
    where: Location = tuple(part for part in fault["loc"] if part != "[key]")
    value = fault["input"]
    if fault["type"] == "value_error":
        return where, _cut(str(fault["ctx"]["error"]), value)
    if fault["type"] == "rule":
        return where, _cut(fault["ctx"]["sentence"], value)
    if fault["type"] == "missing":  # of a list of a fixed length
        where = where[:-1]
    allowed = _allowed(_schema(model, key, where), is_text=isinstance(value, str))
    return where, f"{yaml_value(value)} is not allowed; give {allowed}"


def _cut(sentence: str, value: Any) -> str:
    return sentence.replace(value, short(value)) if isinstance(value, str) and len(value) > 1 else sentence


def _allowed(schema: dict[str, Any], *, is_text: bool) -> str:
    """What a JSON schema allows, in words; a pattern is for what is text at least."""
    if options := schema.get("anyOf"):
        words = _allowed(next(option for option in options if option.get("type") != "null"), is_text=is_text)
        return f"{words}, or null"
    if values := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return listed(values)
    match schema.get("type"):
        case "boolean":
            return "true or false"
        case "integer" | "number" as kind:
            return f"a {'whole ' if kind == 'integer' else ''}number{_range(schema, 'minimum', 'maximum')}"
        case "array":
            many = _range(schema, "minItems", "maxItems")
            return f"a list{many}{' entries' if many else ''}"
        case "object":
            return "keys and values under it"
        case _:
            many = _range(schema, "minLength", "maxLength")
            form = f" that matches {schema['pattern']}" if is_text and "pattern" in schema else ""
            quotes = "" if is_text else " (a number or a date in quotes)"
            return f"text{many}{' characters' if many else ''}{form}{quotes}"


def _range(schema: dict[str, Any], least: str, most: str) -> str:
    low, high = schema.get(least), schema.get(most)
    counted = "of" if least != "minimum" else "from"
    if low is None and high is None:
        return f" above {schema['exclusiveMinimum']}" if "exclusiveMinimum" in schema else ""
    if high is None:
        return f" of {low} or more"
    if low is None:
        return f" of up to {high}"
    return f" of {low}" if low == high else f" {counted} {low} to {high}"


def _schema(model: type[Settings], key: str, where: Location) -> dict[str, Any]:
    """The JSON schema of what is at `where` below the key."""
    schema: dict[str, Any] = _model_schema(model)["properties"][key]
    for part in where:
        schema = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
        if isinstance(part, int) and part < len(schema.get("prefixItems", ())):
            schema = schema["prefixItems"][part]
        else:
            schema = schema.get("items" if isinstance(part, int) else "additionalProperties") or {}
    return schema


@cache
def _model_schema(model: type[Settings]) -> dict[str, Any]:
    return model.model_json_schema()


@cache
def _annotated(model: type[Settings], key: str) -> Any:
    field = model.model_fields[key]
    kind: Any = field.annotation
    return Annotated[(kind, *field.metadata)] if field.metadata else kind


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _bare(annotation: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """A type without `None` and `Annotated`, and all that it was annotated with."""
    if get_origin(annotation) is Annotated:
        kind, *more = get_args(annotation)
        return _bare(kind, (*metadata, *more))
    if get_origin(annotation) in (Union, types.UnionType):
        return _bare(next(each for each in get_args(annotation) if each is not type(None)), metadata)
    return annotation, metadata


def _unknown(key: Any, model: type[Settings]) -> str:
    allowed = [name for name, field in model.model_fields.items() if not field.exclude]
    near = difflib.get_close_matches(str(key), allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"is an unknown key{hint}; allowed: {listed(allowed)}"


def _joined(at: Location, key: str) -> Location:
    return (*at, *(int(part) if part.isdecimal() else part for part in key.split(".") if part))
