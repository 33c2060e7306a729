"""Numbers and times as people read them.

In: numbers with a unit. Out: text. Never: more digits than mean something.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

_DASH = "–"
_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


def number(value: float | None, unit: str = "") -> str:
    """A number with its unit; a dash where there is none.

    Args:
        value: what to write.
        unit: `ms`, `s`, `ratio`, `bytes`, `/s`, or nothing for a plain number.
    """
    if value is None or not math.isfinite(value):
        return _DASH
    match unit:
        case "ms":
            return duration(value)
        case "s":
            return duration(value * 1000)
        case "ratio":
            return f"{100 * value:.1f} %" if value < 0.9995 or value > 1 else "100 %"
        case "bytes":
            return _bytes(value)
        case "/s":
            return f"{value:.2f}/s" if value < 10 else f"{value:,.0f}/s"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.1f}"


def as_shown(value: float, unit: str = "") -> float:
    """The value that `number` writes: what is over a limit only behind the last digit shown is not over it."""
    match unit:
        case "ms" | "s":
            milliseconds = value if unit == "ms" else value * 1000
            places = 1 if milliseconds < 10 else 0 if milliseconds < 1000 else -1 if milliseconds < 60_000 else -3
            return round(milliseconds, places) / (1 if unit == "ms" else 1000)
        case "ratio":
            return round(value, 3)
        case "bytes" | "/s":
            return value
    return float(round(value)) if abs(value) >= 100 else round(value, 1)


def duration(milliseconds: float) -> str:
    """A length of time in three digits: `38 ms`, `1.92 s`, `2 min 5 s`, `3 h 20 min`, `4 d 2 h`."""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.2f} s"
    seconds = round(milliseconds / 1000)
    for length, name, part, part_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= length:
            rest = seconds % length // part
            return f"{seconds // length} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{seconds} s"


def ago(moment: str, now: datetime | None = None) -> str:
    """How long ago an RFC 3339 time was: `2 min ago`; the text itself where it is no time."""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    if then.tzinfo is None:
        return moment
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    return "now" if seconds < 1 else f"{lasting(seconds)} ago"


def lasting(seconds: float) -> str:
    """How long something has gone on, to the second: `5 s`, `2 min 6 s`; of what begins by another clock, `0 s`."""
    return f"{max(int(seconds), 0)} s" if seconds < 60 else duration(seconds * 1000)


def _bytes(value: float) -> str:
    for name in _BYTES[:-1]:
        if abs(value) < 1024:
            return f"{value:,.0f} {name}" if name == "B" else f"{value:,.1f} {name}"
        value /= 1024
    return f"{value:,.1f} {_BYTES[-1]}"
