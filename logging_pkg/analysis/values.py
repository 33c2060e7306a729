"""Fields of events as text and as numbers, whatever is in them.

In: an event, a field's name. Out: text, numbers. Never: an error for a field that is missing or of another type: events
of another release, or of another writer, are to be looked at like any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

#: What stands for a field that is not there.
UNKNOWN: Final = "?"
#: Longer than a century is no length of time; in ms.
_LONGEST_MS: Final = 100 * 365.25 * 86_400_000


def text_of(event: Mapping[str, Any], name: str) -> str:
    """A field as text; `?` where it is missing or null."""
    value = event.get(name)
    return UNKNOWN if value is None else str(value)


def number_of(event: Mapping[str, Any], name: str) -> float:
    """A field as a finite number; 0 where it is none."""
    value = event.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def number_text(event: Mapping[str, Any], name: str, form: str = ",.0f") -> str:
    """A number of a field, written in a form; what is none as it is."""
    value = event.get(name)
    return format(value, form) if isinstance(value, int | float) else text_of(event, name)


def length_ns(event: Mapping[str, Any], name: str) -> int | None:
    """A field in ms as a length of time in ns; None where it is none: no number, below 0, over a century."""
    value = event.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LONGEST_MS:
        return None
    return int(float(value) * 1_000_000)
