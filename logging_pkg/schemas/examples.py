"""Valid events made from their schemas: to show them, and to test rules and receivers with.

In: a registry, an event's name, a number. Out: schema-valid events, the same ones at every run and in every Python.
Never: an invalid event, the clock.

The number varies what comes out: 0, 4, 8 … have required fields only, all others have every field of the event, and
from 2 on of the envelope. Nullable fields are null in 2, 3, 6, 7 …, enums go round, numbers are at their lowest in 2, 6
… and at their highest in 3, 7 …
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from logging_pkg.exceptions import SchemaError
from logging_pkg.schemas.pattern_text import below, text_matching
from logging_pkg.schemas.registry import EventSchema, Registry

#: When the first example was; each further one is a second younger.
START: Final = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
#: Text that has to come through every encoding: quotes, escapes, several scripts, an astral and a control character.
AWKWARD_TEXT: Final = 'say "hi" \\ 100 % {id} <b> é ß 日本 😀 \t \u2028 \x7f'

#: Every so many numbers it begins anew: required fields only, all of them, lowest and highest values.
_ROUND = 4
_LOWEST, _HIGHEST = 2, 3
#: What a number without a bound is below.
_TYPICAL_MOST = 1000
_HEX = "0123456789abcdef"
#: A pattern with `*` gives texts of several lengths; so many are tried for one within minLength and maxLength.
_MAX_TRIES = 20


def example_fields(schema: EventSchema, number: int = 1, *, seed: int = 0, awkward: bool = False) -> dict[str, Any]:
    """An event's own fields, valid.

    Args:
        schema: of the event.
        number: which example, from 0. The first with all fields, 1, is the one the schema declares under `examples`,
            if it does.
        seed: another one gives other values.
        awkward: free texts are AWKWARD_TEXT, and no declared example is used.

    Raises:
        SchemaError: the schema uses more than values can be made for, naming the field.
    """
    if number == 1 and seed == 0 and not awkward and schema.document.get("examples"):
        fields = dict(schema.document["examples"][0])
    else:
        fields = _Maker(f"{schema.name}:{seed}:{number}", number, awkward=awkward).fields(schema)
    if not schema.validator.is_valid(fields):
        wrong = next(iter(schema.validator.iter_errors(fields)))
        place = ".".join(str(part) for part in wrong.instance_path) or "(event)"
        raise SchemaError(
            f"{schema.path}: at properties/{place}: the example made for it is not valid ({wrong.message[:200]}); "
            'give the event "examples" in its schema'
        )
    return fields


def example_lines(
    registry: Registry,
    event: str,
    count: int = 4,
    *,
    first: int = 0,
    seed: int = 0,
    awkward: bool = False,
    start: datetime = START,
) -> Iterator[dict[str, Any]]:
    """Yield `count` whole lines of one event, envelope included, as one process would write them.

    Args:
        registry: what declares the event.
        event: its name; KeyError when it is not declared.
        count: how many.
        first: number of the first, see `example_fields`.
        seed: another one gives other values.
        awkward: free texts are AWKWARD_TEXT.
        start: time of the first, UTC.

    Raises:
        SchemaError: no example can be made, naming the field.
    """
    schema = registry.events[event]
    instance_id = _digits(random.Random(f"{event}:{seed}"), 32)
    for number in range(first, first + count):
        seq = number - first + 1
        chosen = random.Random(f"{event}:{seed}:{number}:envelope")
        moment = start + timedelta(seconds=seq - 1, microseconds=below(chosen, 1_000_000))
        maker = _Maker(f"{event}:{seed}:{number}:envelope", number, awkward=awkward)
        line = maker.chosen_of(registry.envelope["properties"], registry.envelope["required"], all_from=_LOWEST)
        line |= {
            "event": event,
            "schema_version": schema.version,
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "instance_id": instance_id,
            "seq": seq,
            "event_id": f"{instance_id}-{seq}",
            # As UUIDv7, whose first 48 bits are milliseconds.
            "correlation_id": f"{int(moment.timestamp() * 1000):012x}7{_digits(chosen, 3)}8{_digits(chosen, 15)}",
        }
        if number < _LOWEST:
            line["level"] = schema.level
        yield line | example_fields(schema, number, seed=seed, awkward=awkward)


def _digits(chosen: random.Random, count: int) -> str:
    return "".join(_HEX[below(chosen, 16)] for _ in range(count))


class _Maker:
    """Makes the values of one example."""

    def __init__(self, seed: str, number: int, *, awkward: bool) -> None:
        self._chosen = random.Random(seed)
        self._number = number
        self._awkward = awkward

    def fields(self, schema: EventSchema) -> dict[str, Any]:
        try:
            return self.chosen_of(schema.properties, sorted(schema.required, key=list(schema.properties).index))
        except SchemaError as error:
            raise SchemaError(f"{schema.path}: {error}") from error

    def chosen_of(
        self, properties: Mapping[str, Mapping[str, Any]], required: list[str], *, all_from: int = 1
    ) -> dict[str, Any]:
        """Values of the required properties, or of all from this number on."""
        has_all = self._number % _ROUND != 0 and self._number >= all_from
        names = list(properties) if has_all else required
        return {name: self._value(name, properties[name], self._number) for name in names}

    def _value(self, name: str, schema: Mapping[str, Any], number: int) -> Any:
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][max(number - 1, 0) % len(schema["enum"])]
        if schema.get("examples") and not self._awkward and number < _LOWEST:
            return schema["examples"][0]
        kinds = schema.get("type", "string")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        match kinds[number // 2 % len(kinds)]:
            case "null":
                return None
            case "boolean":
                return bool(number % 2)
            case "integer":
                return self._integer(schema, number)
            case "number":
                return self._float(schema, number)
            case "array":
                return self._list(name, schema, number)
            case "object":
                members = schema.get("properties", {})
                return {member: self._value(member, below_it, number) for member, below_it in members.items()}
            case _:
                return self._text(name, schema, number)

    def _integer(self, schema: Mapping[str, Any], number: int) -> int:
        low, high = _bounds(schema, step=1)
        if number % _ROUND == _LOWEST and "minimum" in schema:
            return int(low)
        if number % _ROUND == _HIGHEST and "maximum" in schema:
            return int(high)
        step = schema.get("multipleOf", 1)
        value = int(low) + below(self._chosen, int(high) - int(low) + 1)
        return int(value - value % step) if step != 1 else value

    def _float(self, schema: Mapping[str, Any], number: int) -> float:
        low, high = _bounds(schema, step=0.001)
        if number % _ROUND == _LOWEST and "minimum" in schema:
            return float(low)
        if number % _ROUND == _HIGHEST and "maximum" in schema:
            return float(high)
        return min(max(round(low + self._chosen.random() * (high - low), 3), low), high)

    def _list(self, name: str, schema: Mapping[str, Any], number: int) -> list[Any]:
        size = max(min(number, schema.get("maxItems", number)), schema.get("minItems", 0))
        return [self._value(name, schema.get("items", {}), item + 1) for item in range(size)]

    def _text(self, name: str, schema: Mapping[str, Any], number: int) -> str:
        least, most = schema.get("minLength", 0), schema.get("maxLength", 1000)
        if "pattern" in schema:
            tries = (text_matching(schema["pattern"], self._chosen) for _ in range(_MAX_TRIES))
            return next((text for text in tries if least <= len(text) <= most), "")
        text = AWKWARD_TEXT * number if self._awkward else f"{name}-{_digits(self._chosen, 4)}"
        return text.ljust(least, "x")[:most]


def _bounds(schema: Mapping[str, Any], *, step: float) -> tuple[float, float]:
    """Lowest and highest value; what has no bound is between 0 and 1,000 above it."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0 - step) + step)
    high = schema.get("maximum", schema.get("exclusiveMaximum", max(low, 0) + _TYPICAL_MOST + step) - step)
    return min(low, high), high
