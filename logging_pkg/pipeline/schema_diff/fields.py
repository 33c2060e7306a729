"""Compare the fields of two versions of an object: an event, the envelope, or what lies within a field.

In: two object schemas. Out: Changes. Never: metrics, versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from logging_pkg.pipeline.schema_diff.changes import Change
from logging_pkg.pipeline.schema_diff.values import same, value_changes

_NONE: Mapping[str, Any] = {}


def field_changes(event: str, old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[Change]:
    """The changes of an object's members.

    Args:
        event: whose they are.
        old: JSON Schema of the object.
        new: the same, later.
        prefix: path of the object within the line, ending in `.`; empty at the top.
    """
    before, after = old.get("properties", _NONE), new.get("properties", _NONE)
    was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
    for name, schema in before.items():
        path = prefix + name
        if name not in after:
            yield Change(event, "field-removed", path, _removed(name, schema, before, after))
            continue
        if name in is_required and name not in was_required:
            yield Change(event, "field-required", path, "optional → required")
        elif name in was_required and name not in is_required:
            yield Change(event, "field-optional", path, "required → optional")
        yield from _one(event, path, schema, after[name])
    for name in after:
        if name not in before:
            kind = "field-required" if name in is_required else "field-added"
            yield Change(event, kind, prefix + name, "new, required" if name in is_required else "new, optional")


def _removed(name: str, schema: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """That a field went, and which new one looks as if it had taken its place."""
    bare = _asserted(schema)
    alike = [other for other, declared in after.items() if other not in before and same(_asserted(declared), bare)]
    return f"removed; {alike[0]} is new and alike: renamed?" if alike else f"{name} is gone"


def _asserted(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {keyword: value for keyword, value in schema.items() if keyword not in {"description", "examples"}}


def _one(event: str, path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for kind, message, option in value_changes(old, new):
        yield Change(event, kind, path, message, option=option)
    yield from _annotation_changes(event, path, old, new)
    if "properties" in old or "properties" in new:
        yield from field_changes(event, old, new, f"{path}.")
    before, after = old.get("items"), new.get("items")
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _one(event, f"{path}[]", before, after)
    elif not same(before, after):
        kind = "type-widened" if after is None else "type-narrowed"
        yield Change(event, kind, path, "items may be anything now" if after is None else "items are restricted now")
    before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
    if not same(before, after):
        is_wider = after is True or before is False
        text = "further members are taken now" if is_wider else "further members are refused or restricted now"
        yield Change(event, "type-widened" if is_wider else "type-narrowed", path, text)


def _annotation_changes(event: str, path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = old.get("x-dimension"), new.get("x-dimension")
    if before and not after:
        yield Change(event, "dimension-removed", path, f"at most {before['bound']} values → not bounded")
    elif after and not before:
        yield Change(event, "dimension-added", path, f"at most {after['bound']} values")
    elif before and after and before["bound"] != after["bound"]:
        yield Change(event, "dimension-bound-changed", path, f"at most {before['bound']} values → {after['bound']}")
    was, is_now = old.get("x-sensitive", "in clear"), new.get("x-sensitive", "in clear")
    if was != is_now:
        yield Change(event, "sensitivity-changed", path, f"{was} → {is_now}")
