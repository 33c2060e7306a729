"""A plain valid event of a schema, to set chosen fields on top of.

In: the schema of a whole line, the fields that are set anyway. Out: the required ones among the others, as plain as
they can be: null where that is allowed, the first of an enum, 0 or the smallest number. Never: a number by chance; the
sum of a test's events is the sum of what the test says.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any

from logging_pkg.schemas.pattern_text import text_matching

#: A pattern with `*` gives texts of several lengths; so many are tried for one within minLength and maxLength.
_TRIES = 20


def plain_event(line_schema: Mapping[str, Any], chosen: Collection[str]) -> dict[str, Any]:
    """The required fields of a line that are not chosen, with their plainest values.

    Raises:
        SchemaError: a field's pattern is more than texts can be made for; choose the field.
    """
    properties = line_schema["properties"]
    return {name: _plain_value(properties[name], name) for name in line_schema["required"] if name not in chosen}


def _plain_value(schema: Mapping[str, Any], name: str) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "string")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "null" in kinds:
        return None
    match kinds[0]:
        case "boolean":
            return False
        case "integer" | "number":
            return _smallest(schema)
        case "array":
            return [_plain_value(schema.get("items", {}), name)] * int(schema.get("minItems", 0))
        case "object":
            members = schema.get("properties", {})
            return {member: _plain_value(members[member], member) for member in schema.get("required", ())}
        case _:
            return _text(schema, name)


def _smallest(schema: Mapping[str, Any]) -> float:
    """0 where that is allowed, else what is allowed and nearest."""
    lowest = schema.get("minimum", schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else 0)
    highest = schema.get("maximum", schema["exclusiveMaximum"] - 1 if "exclusiveMaximum" in schema else lowest)
    number: float = lowest if lowest > 0 else min(0, highest)
    return number


def _text(schema: Mapping[str, Any], name: str) -> str:
    """Its own name tells a reader of a failed test where a text is from."""
    least, most = schema.get("minLength", 0), schema.get("maxLength", 1000)
    if "pattern" not in schema:
        return name.ljust(least, "x")[:most]
    chosen = random.Random(name)
    texts = [text_matching(schema["pattern"], chosen) for _ in range(_TRIES)]
    return min((text for text in texts if least <= len(text) <= most), key=len, default=texts[0])
