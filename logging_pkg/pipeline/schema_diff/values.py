"""Compare what two versions of a field may hold.

In: two property schemas. Out: kinds of change with a sentence each. Never: an event's or a metric's changes.

What is not understood (`anyOf`, `$ref`, `not` …) counts as narrower as soon as it differs: a false alarm asks for a
look, silence would break somebody.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from logging_pkg.schemas.registry import is_numeric

_ALL_TYPES = frozenset({"null", "boolean", "number", "string", "array", "object"})
#: Limit, the one that excludes the number itself, and whether a higher number admits less.
_LIMITS = (
    ("minimum", "exclusiveMinimum", True),
    ("maximum", "exclusiveMaximum", False),
    *((f"min{what}", "", True) for what in ("Length", "Items", "Properties")),
    *((f"max{what}", "", False) for what in ("Length", "Items", "Properties")),
)
#: Looked at one by one, here or by who compares fields.
_COMPARED = frozenset(
    {"type", "enum", "const", "items", "properties", "required", "additionalProperties"}
    | {keyword for limit, exclusive, _ in _LIMITS for keyword in (limit, exclusive)}
)
_ANNOTATIONS = frozenset({"$comment", "$id", "$schema", "default", "deprecated", "description", "examples", "title"})


class ValueChange(NamedTuple):
    """A change of what a field may hold."""

    kind: str
    message: str
    option: Any = None


def value_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ValueChange]:
    """The changes between two schemas of one value; what lies within objects and lists is not looked at."""
    if is_numeric(old) and not is_numeric(new):
        yield ValueChange("type-not-numeric", f"{_kinds_text(old)} → {_kinds_text(new)}")
        return
    if _options(old) is not None or _options(new) is not None:
        yield from _option_changes(old, new)
        return
    yield from _type_changes(old, new)
    for limit, exclusive, is_lower in _LIMITS:
        before, after = _edge(old, limit, exclusive, is_lower), _edge(new, limit, exclusive, is_lower)
        if before != after:
            text = f"{_limit_text(old, limit, exclusive)} → {_limit_text(new, limit, exclusive)}"
            yield ValueChange("type-narrowed" if after > before else "type-widened", text)
    yield from _other_changes(old, new)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: 1 is 1.0, and true is not 1."""
    return _key(one) == _key(other)


def _key(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def _options(schema: Mapping[str, Any]) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _option_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ValueChange]:
    before, after = _options(old), _options(new)
    if before is None:
        yield ValueChange("type-narrowed", f"{_kinds_text(old)} → {_kinds_text(new)}")
        return
    asserted = {keyword: value for keyword, value in new.items() if keyword not in _ANNOTATIONS}
    accepts = jsonschema_rs.Draft202012Validator(asserted).is_valid
    for option in before:
        if not accepts(option):
            yield ValueChange("option-removed", f"{json.dumps(option)} is no option any more", option)
    if after is None:
        yield ValueChange("type-widened", f"{_kinds_text(old)} → {_kinds_text(new)}")
    for option in after or ():
        if not any(same(option, known) for known in before):
            yield ValueChange("option-added", f"{json.dumps(option)} is an option now", option)


def _type_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ValueChange]:
    before, after = _types(old), _types(new)
    text = f"{_kinds_text(old)} → {_kinds_text(new)}"
    if _admitted(before) - _admitted(after):
        yield ValueChange("type-narrowed", text)
    elif _admitted(after) - _admitted(before):
        yield ValueChange("type-widened", text)


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    kinds = schema.get("type", _ALL_TYPES)
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _admitted(kinds: Iterable[str]) -> set[str]:
    """Types of values: a number may be whole."""
    return {*kinds, *(["integer"] if "number" in kinds else [])}


def _kinds_text(schema: Mapping[str, Any]) -> str:
    options = _options(schema)
    if options is not None:
        return f"one of {', '.join(map(json.dumps, options))}"
    return (
        " or ".join(sorted(_types(schema), key=lambda kind: (kind == "null", kind))) if "type" in schema else "anything"
    )


def _edge(schema: Mapping[str, Any], limit: str, exclusive: str, is_lower: bool) -> tuple[float, bool]:
    """The limit that holds, so that a greater edge admits less."""
    sign = 1 if is_lower else -1
    edges = [(sign * schema[keyword], keyword == exclusive) for keyword in (limit, exclusive) if keyword in schema]
    return max(edges, default=(-math.inf, False))


def _limit_text(schema: Mapping[str, Any], limit: str, exclusive: str) -> str:
    said = [f"{keyword} {schema[keyword]}" for keyword in (limit, exclusive) if keyword in schema]
    return ", ".join(said) or f"no {limit}"


def _other_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ValueChange]:
    """Patterns, multiples, and what is not understood: another one is a narrower one, none is a wider one."""
    for keyword in sorted({*old, *new} - _COMPARED - _ANNOTATIONS):
        before, after = old.get(keyword), new.get(keyword)
        if keyword.startswith("x-") or same(before, after):
            continue
        is_wider = after is None or (keyword == "multipleOf" and before is not None and before % after == 0)
        text = f"{keyword} {json.dumps(before)} → {json.dumps(after)}".replace(" null", " none")
        yield ValueChange("type-widened" if is_wider else "type-narrowed", text[:200])
