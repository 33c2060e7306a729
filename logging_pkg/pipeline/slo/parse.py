"""Read loki/slos.yaml and hold it against the schemas.

In: a path, the declared events. Out: Slos. Never: a guess; what cannot be meant is an error that names file, line,
value and what was expected.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from logging_pkg.pipeline.logql.tokens import KEYWORDS
from logging_pkg.pipeline.rules_test.document import Node, read_document
from logging_pkg.pipeline.slo.model import DEFAULT_LEAST_BAD_EVENTS, PAGE, TICKET, Slo
from logging_pkg.schemas import EventSchema, Registry
from logging_pkg.schemas.registry import is_numeric

#: The file, relative to the project.
SLO_FILE: Final = "loki/slos.yaml"

_KEYS = ("name", "description", "event", "where", "good", "objective", "window", "least_bad_events")
_REQUIRED = ("name", "description", "event", "good", "objective", "window")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_FIELD = re.compile(r"[a-z][a-z0-9_]*")
_GOOD = re.compile(r"([a-z][a-z0-9_]*)\s*(<=|>=|!=|<|>|=)\s*(-?\d+(?:\.\d+)?)")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")
_DAYS = re.compile(r"(\d{1,2})d")
#: What would end a text within the rules: a raw string of a Go template, a quotation, a line, a template's own braces.
_UNSAFE = re.compile(r"[`\"\\\n]|\{\{|\}\}")


def read_slos(path: Path, shown: str, registry: Registry) -> list[Slo]:
    """The objectives of a file, in order.

    Raises:
        RuleError: the file is broken, or an objective does not fit the declared events.
    """
    root = read_document(path, shown).keys(("slos",), required=("slos",))
    slos = []
    seen: set[str] = set()
    for node in root["slos"].items():
        entries = node.keys(_KEYS, required=_REQUIRED)
        slo = _slo(entries, registry)
        if slo.name in seen:
            raise entries["name"].wrong("expected a name of its own; another objective has this one")
        seen.add(slo.name)
        slos.append(slo)
    return slos


def _slo(entries: dict[str, Node], registry: Registry) -> Slo:
    event = _event(entries["event"], registry)
    field, op, limit = _good(entries["good"], event)
    objective = _percent(entries["objective"])
    days = _DAYS.fullmatch(entries["window"].text())
    if days is None or not 7 <= int(days[1]) <= 90:
        raise entries["window"].wrong("expected 7d to 90d")
    slo = Slo(
        name=_matching(entries["name"], _NAME, "expected lower case words such as key_routes_latency"),
        description=_safe(entries["description"], " ".join(entries["description"].text().split())),
        event=event.name,
        where=_where(entries["where"], event) if "where" in entries else {},
        field=field,
        op=op,
        limit=limit,
        objective=objective,
        window_days=int(days[1]),
        least_bad_events=(
            entries["least_bad_events"].count() if "least_bad_events" in entries else DEFAULT_LEAST_BAD_EVENTS
        ),
    )
    for window in (*PAGE, *TICKET):
        if slo.burn_rate(window) * slo.budget >= 1:
            raise entries["objective"].wrong(
                f"expected more: a burn rate of {slo.burn_rate(window):g} over {window.long} is "
                f"{slo.burn_rate(window) * slo.budget:.0%} of the events, so its alert could never fire"
            )
    return slo


def _event(node: Node, registry: Registry) -> EventSchema:
    event = registry.events.get(node.text())
    if event is None:
        raise node.wrong(f"expected a declared event; {_near(node.text(), registry.events)}")
    return event


def _good(node: Node, event: EventSchema) -> tuple[str, str, str]:
    match = _GOOD.fullmatch(node.text().strip())
    if match is None:
        raise node.wrong("expected a field, <= < >= > = or !=, and a number: response_time_ms <= 500")
    field = match[1]
    if field not in event.properties:
        raise node.wrong(f"expected a field of {event.name}; {_near(field, event.properties)}")
    schema = event.properties[field]
    kinds = schema.get("type", [])
    if not is_numeric(schema) or "null" in ([kinds] if isinstance(kinds, str) else kinds):
        raise node.wrong(f"expected a number that is never null; see log_schemas/{event.name}.json")
    if field not in event.required:
        raise node.wrong(f"expected a field that every {event.name} has; it is not required there")
    if "enum" in schema and float(match[3]) not in schema["enum"]:
        raise node.wrong(f"expected one of the values it can have: {', '.join(map(str, schema['enum']))}")
    return field, match[2], match[3]


def _where(node: Node, event: EventSchema) -> dict[str, tuple[str, ...] | str]:
    found: dict[str, tuple[str, ...] | str] = {}
    for name, value in node.entries().items():
        if name not in event.properties:
            raise value.error(f'where: "{name}" is no field of {event.name}; {_near(name, event.properties)}')
        if _FIELD.fullmatch(name) is None or name in KEYWORDS:
            raise value.error(f'where: "{name}" cannot be a LogQL label')
        if isinstance(value.value, list):
            options = [_safe(item, item.text()) for item in value.items()]
            if not options:
                raise value.error("where: expected at least one value")
            known = event.properties[name].get("enum")
            for item, option in zip(value.items(), options, strict=True):
                if known is not None and option not in map(str, known):
                    raise item.wrong(f"expected one of {', '.join(map(str, known))}")
            found[name] = tuple(options)
        else:
            found[name] = _safe(value, value.text())
            try:
                re.compile(value.text())
            except re.error as error:
                raise value.wrong(f"expected a list of values, or a regular expression: {error}") from None
    return found


def _percent(node: Node) -> float:
    match = _PERCENT.fullmatch(node.text().strip())
    if match is None or not 0 < float(match[1]) < 100:
        raise node.wrong("expected a share of good events above 0 and below 100, such as 99.9 %")
    return round(float(match[1]) / 100, 12)


def _matching(node: Node, pattern: re.Pattern[str], expected: str) -> str:
    if pattern.fullmatch(node.text()) is None:
        raise node.wrong(expected)
    return node.text()


def _safe(node: Node, text: str) -> str:
    if not text or _UNSAFE.search(text):
        raise node.wrong('expected a text without `, ", backslash, {{ and }}; for a literal dot write [.]')
    return text


def _near(word: str, known: object) -> str:
    names = sorted(map(str, known))  # type: ignore[call-overload]
    near = get_close_matches(word, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names[:8])} …"
