"""Conditions on events as people type them: `route=/dashboard/`, `response_time_ms>500`, `error_type=~.*Timeout`.

In: text. Out: Conditions, true or false of an event. Never: a value that is neither a text nor a number.

They mean what LogQL's label filters mean of the same field: = and != and the regular expressions compare texts and
match the whole of them, the others compare numbers, and an event without the number does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from logging_pkg.analysis.tables import as_label
from logging_pkg.exceptions import InputError

_NUMERIC: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": lambda value, limit: value >= limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    "<": lambda value, limit: value < limit,
}
_SHAPE = re.compile(r"([a-z][a-z0-9_]*)(=~|!~|!=|>=|<=|=|>|<)(.*)", re.DOTALL)


class ConditionError(InputError):
    """A condition cannot be read, or asks for what no event has."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A field, an operator, and what the field is compared with."""

    field: str
    operator: str
    value: str

    def fits(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is one of those asked for."""
        found = event.get(self.field)
        if compare := _NUMERIC.get(self.operator):
            return isinstance(found, int | float) and compare(float(found), float(self.value))
        is_same = (
            re.fullmatch(self.value, as_label(found), re.DOTALL) is not None
            if self.operator.endswith("~")
            else as_label(found) == self.value
        )
        return is_same is not self.operator.startswith("!")

    @property
    def is_numeric(self) -> bool:
        """Whether numbers are compared."""
        return self.operator in _NUMERIC


def condition(text: str) -> Condition:
    """Read a condition.

    Raises:
        ConditionError: it has another shape, a number is none, or a regular expression cannot be read.
    """
    parts = _SHAPE.fullmatch(text)
    if parts is None:
        raise ConditionError(
            f"{text[:60]!r} is no condition: expected field=value, or != =~ !~ > >= < <= in place of ="
        )
    found = Condition(*parts.groups())
    try:
        if found.is_numeric:
            float(found.value)
        elif found.operator.endswith("~"):
            re.compile(found.value)
    except (ValueError, re.error) as error:
        what = "a number" if found.is_numeric else "a regular expression"
        raise ConditionError(f"{text[:60]!r}: expected {what} after {found.operator} ({error})") from error
    return found
