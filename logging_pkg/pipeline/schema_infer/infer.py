"""Draft schemas from a stream of lines, in one pass.

In: JsonLines. Out: an Inference. Never: more lines in memory than it takes to guess which field names the event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Final

from logging_pkg.exceptions import SchemaError
from logging_pkg.pipeline.json_lines import JsonLine
from logging_pkg.pipeline.schema_infer.draft import Draft, document_of
from logging_pkg.pipeline.schema_infer.names import MAX_EVENT_NAME, event_name
from logging_pkg.pipeline.schema_infer.notes import suggestion
from logging_pkg.pipeline.schema_infer.profile import Profile, Room
from logging_pkg.pipeline.schema_infer.texts import sensitive_look
from logging_pkg.schemas.conventions import EVENT_NAME_PATTERN, LEVELS

#: Fields that may name the event, the likelier first.
EVENT_FIELDS: Final = ("event", "msg", "message", "type", "name")
#: Lines that the guess is made from.
GUESS_LINES: Final = 1000
#: More events than this are no events but sentences.
MAX_EVENTS: Final = 500
#: A field names the event when so many of the lines have a text in it …
_LEAST_SHARE = 0.9
#: … and so few different ones: at most this many, or half of the lines.
_FEW_NAMES = 20


@dataclass
class _Group:
    """The lines of one event."""

    profile: Profile
    levels: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inference:
    """What was drafted.

    Attributes:
        event_field: the field that names the event.
        drafts: one per event, in the order of their names.
        line_count: lines they were drafted from.
        unreadable: lines that are no JSON objects.
        nameless: lines without a text in the event field.
    """

    event_field: str
    drafts: tuple[Draft, ...]
    line_count: int
    unreadable: int
    nameless: int


def infer(lines: Iterable[JsonLine], envelope: Mapping[str, Any], event_field: str | None = None) -> Inference:
    """Draft a schema per event.

    Args:
        lines: of any producer.
        envelope: whose fields are no event's own.
        event_field: names the event, with dots for what lies within objects; guessed when None.

    Raises:
        SchemaError: no field names the event, or too many events; the message says what was found and what to give.
    """
    stream = iter(lines)
    first = list(islice(stream, GUESS_LINES))
    chosen = event_field or guessed_event_field(first)
    groups: dict[str, _Group] = {}
    room = Room()
    unreadable = nameless = 0
    for line in chain(first, stream):
        if line.value is None:
            unreadable += 1
            continue
        name = _at(line.value, chosen)
        if not isinstance(name, str) or not name.strip():
            nameless += 1
            continue
        if name not in groups and len(groups) >= MAX_EVENTS:
            raise SchemaError(
                f'{line.source}:{line.number}: more than {MAX_EVENTS} different texts in "{chosen}": does it name the '
                "event, or is it a message? give another with --event-field"
            )
        group = groups.setdefault(name, _Group(Profile(room)))
        _add(group, line.value, chosen, envelope)
    if not groups:
        raise SchemaError(f'no line has a text in "{chosen}"; give the field that names the event with --event-field')
    drafts = sorted(_drafts(groups), key=lambda draft: draft.event)
    return Inference(chosen, tuple(drafts), sum(draft.line_count for draft in drafts), unreadable, nameless)


def guessed_event_field(lines: Iterable[JsonLine]) -> str:
    """The first of EVENT_FIELDS that nearly all lines have, with few different texts, none of which names somebody.

    Raises:
        SchemaError: none does; the message tells of each what was found.
    """
    objects = [line.value for line in lines if line.value is not None]
    if not objects:
        raise SchemaError("no line is a JSON object; expected one per line (NDJSON)")
    found = []
    for name in EVENT_FIELDS:
        texts = [value[name] for value in objects if isinstance(value.get(name), str) and value[name].strip()]
        different = len(set(texts))
        are_names = all(map(EVENT_NAME_PATTERN.fullmatch, texts))
        is_few = different <= max(_FEW_NAMES, len(texts) / 2) and not any(map(sensitive_look, set(texts)))
        if len(texts) >= _LEAST_SHARE * len(objects) and (are_names or is_few):
            return name
        if texts:
            found.append(f"{name} has {different} different texts in {len(texts)} of {len(objects)} lines")
    said = ", ".join(found) or f"none of {', '.join(EVENT_FIELDS)} is there"
    raise SchemaError(f"no field names the event: {said}; give it with --event-field")


def own_fields(value: Mapping[str, Any], event_field: str, envelope: Mapping[str, Any]) -> dict[str, Any]:
    """A line's own fields: what is neither the envelope's nor the event's name."""
    return {name: item for name, item in value.items() if name not in envelope["properties"] and name != event_field}


def _at(value: Mapping[str, Any], path: str) -> Any:
    """The value under a name, or under a path with dots."""
    if path in value:
        return value[path]
    found: Any = value
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _add(group: _Group, value: Mapping[str, Any], event_field: str, envelope: Mapping[str, Any]) -> None:
    own = own_fields(value, event_field, envelope)
    group.profile.add(own)
    group.left_out.update(
        dict.fromkeys(name for name in value if name in envelope["properties"] and name != event_field)
    )
    level = value.get("level")
    if isinstance(level, str) and level.lower() in LEVELS:
        group.levels[level.lower()] += 1


def _drafts(groups: Mapping[str, _Group]) -> Iterator[Draft]:
    taken: set[str] = set()
    # Those that have a good name keep it, whoever comes first.
    for name in sorted(groups, key=lambda name: (event_name(name) != name, name)):
        group = groups[name]
        event = _free(event_name(name), taken)
        taken.add(event)
        level = group.levels.most_common(1)[0][0] if group.levels else ""
        members = group.profile.members
        yield Draft(
            event,
            name,
            group.profile.count,
            document_of(event, name, group.profile, level),
            tuple(group.left_out),
            tuple((known, suggestion(known)) for known in members if suggestion(known)),
        )


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where another event has it."""
    number, free = 2, name
    while free in taken:
        free = f"{name[: MAX_EVENT_NAME - len(str(number)) - 1]}_{number}"
        number += 1
    return free
