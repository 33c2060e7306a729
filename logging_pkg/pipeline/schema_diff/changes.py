"""One change between two versions of an event, and which kinds there are.

In: nothing. Out: Change values. Never: finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: Changes after which a line, a query or a series that was right is wrong, and what each is.
BREAKING: Final[Mapping[str, str]] = {
    "event-removed": "the event is no longer declared",
    "field-removed": "the event has the field no more",
    "field-required": "an event without the field, valid before, is refused",
    "type-narrowed": "some values that were valid are refused",
    "type-not-numeric": "values may be no numbers now: `unwrap` fails on them",
    "option-removed": "a value of an enum is refused",
    "dimension-removed": "metrics may no longer be grouped by the field: its values are not bounded",
    "sensitivity-changed": "the field holds another value: in clear, hashed or dropped",
    "unit-changed": "a metric's unit is another, and so are its numbers and its series' name",
    "metric-renamed": "a metric's series have other names",
    "metric-removed": "a metric's series end",
    "metric-changed": "a metric's series have other names, or the same name says something else",
}
#: Changes that leave everything right that was.
COMPATIBLE: Final[Mapping[str, str]] = {
    "event-added": "an event more",
    "field-added": "an optional field more",
    "field-optional": "the field may be missing now",
    "type-widened": "more values are valid",
    "option-added": "a value more in an enum",
    "dimension-added": "metrics may be grouped by the field",
    "dimension-bound-changed": "the field may take more, or fewer, values than stated before",
    "metric-added": "a metric more",
    "level-changed": "the event's default level is another",
    "deprecated": "the event is to be removed",
}
#: Every kind, with what it means.
KINDS: Final[Mapping[str, str]] = {**BREAKING, **COMPATIBLE}
#: In place of an event's name where the envelope changed.
ENVELOPE: Final = "envelope"


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    Attributes:
        event: its name, or `envelope`.
        kind: a key of KINDS.
        field: path of the field, `queries[].alias`; empty when the event or a metric changed.
        message: what was, and what is.
        series: names of series that end or mean something else.
        option: the value removed from an enum.
    """

    event: str
    kind: str
    field: str
    message: str
    series: tuple[str, ...] = ()
    option: Any = None

    @property
    def is_breaking(self) -> bool:
        """Whether something that was right is wrong now."""
        return self.kind in BREAKING
