"""Sample lines of every declared event, made from its schema.

In: the registry. Out: schema-valid event lines as dictionaries, the same ones at every run. Never: an invalid line.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from logging_pkg.schemas import Registry

_START = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
_TOKEN = re.compile(r"(\[[^\]]+\]|\\.|[^\\\[\]{}*+?^$])(\{(\d+)(?:,(\d+))?\}|[*+?])?")
#: Text that has to come through every encoding: quotes, escapes, several scripts, an astral character, a control character.
_AWKWARD = 'say "hi" \\ 100 % {id} <b> é ß 日本 😀 \t \u2028 \x7f'


def sample_lines(registry: Registry, event: str, count: int = 4) -> Iterator[dict[str, Any]]:
    """Yield `count` valid lines of one event: the first with required fields only, the others with all of them."""
    schema = registry.line_schema(event)
    properties, required = schema["properties"], schema["required"]
    chosen = random.Random(event)
    instance_id = f"{chosen.getrandbits(128):032x}"
    for number in range(count):
        names = required if number == 0 else [*required, *(name for name in properties if name not in required)]
        line = {name: _value(properties[name], chosen, number) for name in names}
        moment = _START + timedelta(seconds=number, microseconds=chosen.randrange(1_000_000))
        line |= {
            "event": event,
            "schema_version": registry.events[event].version,
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "instance_id": instance_id,
            "seq": number + 1,
            "event_id": f"{instance_id}-{number + 1}",
        }
        problems = registry.problems(line)
        assert not problems, problems
        yield line


def encoded(line: Mapping[str, Any]) -> bytes:
    """A line as the writer writes it, without its newline."""
    return orjson.dumps(line)


def _value(schema: Mapping[str, Any], chosen: random.Random, number: int) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][number % len(schema["enum"])]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = kinds[number % len(kinds)]
    low, high = schema.get("minimum", schema.get("exclusiveMinimum", -1000)), schema.get("maximum", 100_000)
    match kind:
        case "null":
            return None
        case "boolean":
            return bool(number % 2)
        case "integer":
            return (
                int(low)
                if number == 1 and "minimum" in schema
                else chosen.randint(int(low) + 1, max(int(high), int(low) + 1))
            )
        case "number":
            return chosen.uniform(low, max(high, low)) or high
        case "string":
            return _text(schema, chosen, number)
        case "array":
            size = min(number, schema.get("maxItems", number))
            return [_value(schema["items"], chosen, item + 1) for item in range(size)]
        case _:
            return {name: _value(item, chosen, number) for name, item in schema.get("properties", {}).items()}


def _text(schema: Mapping[str, Any], chosen: random.Random, number: int) -> str:
    if "pattern" not in schema:
        return (_AWKWARD * number)[: schema.get("maxLength", 1000)]
    out = []
    for atom, quantifier, low, high in _TOKEN.findall(schema["pattern"]):
        least = int(low) if low else {"*": 0, "+": 1, "?": 0, "": 1}[quantifier]
        most = int(high) if high else (least if low or not quantifier else least + 5)
        out += [chosen.choice(_alphabet(atom)) for _ in range(chosen.randint(least, most))]
    return "".join(out)


def _alphabet(atom: str) -> str:
    if atom == "\\d":
        return "0123456789"
    if atom.startswith("["):
        return re.sub(r"(.)-(.)", lambda m: "".join(map(chr, range(ord(m[1]), ord(m[2]) + 1))), atom[1:-1])
    return atom[-1]
