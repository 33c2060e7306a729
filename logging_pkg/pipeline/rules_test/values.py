"""Durations and series of values, in promtool's notation.

In: text such as `1h30m` or `1+2x3`. Out: nanoseconds, numbers. Never: a guess; what is no such text is a ValueError
that says what was expected.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

Number = int | float

SECOND: Final = 1_000_000_000
_UNITS: Final = {
    "ms": SECOND // 1000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3600 * SECOND,
    "d": 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
}
#: Each unit at most once, the largest first, as Prometheus wants them.
_DURATION = re.compile(r"(-?)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_GAP = re.compile(r"_(?:x(\d+))?")
_RUN = re.compile(rf"([-+]?{_NUMBER})([-+]{_NUMBER})?(?:x(\d+))?")
#: As many events as one series of a test may be; far above any need, and below what eats a machine.
_MOST = 100_000


def duration_ns(text: str) -> int:
    """Return `1h30m`, `-20s` or `0` as nanoseconds.

    Raises:
        ValueError: it is no duration.
    """
    if text.strip() == "0":
        return 0
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()[1:]):
        raise ValueError("expected a duration such as 30s, 5m or 1h30m")
    sign, *counts = match.groups()
    total = sum(
        int(count or 0) * _UNITS[unit] for unit, count in zip(("w", "d", "h", "m", "s", "ms"), counts, strict=True)
    )
    return -total if sign else total


def duration_text(duration: int) -> str:
    """Return nanoseconds as a person writes them: `1h30m`, `-20s`, `0m`."""
    sign, rest = ("-" if duration < 0 else ""), abs(duration)
    parts = []
    for unit in ("h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts) or "0m")


def series(text: str) -> list[Number | None]:
    """Return the values of a series: `1 2 5`, `1+2x3` (1 3 5 7), `7x2` (7 7 7), `_` and `_x3` (none there).

    Arithmetic is decimal, so that 0.1+0.1x2 ends in 0.3; what is written without a fraction stays whole.

    Raises:
        ValueError: a part is none of these.
    """
    values: list[Number | None] = []
    for part in text.split():
        if gap := _GAP.fullmatch(part):
            values += [None] * _times(gap[1] or "1")
            continue
        run = _RUN.fullmatch(part)
        if run is None or (run[2] and not run[3]):
            raise ValueError(f"{part!r} is no part of a series; expected numbers, 1+2x3, 7x2, _ or _x3")
        start, step = Decimal(run[1]), Decimal(run[2] or 0)
        values += [_plain(start + step * number) for number in range(_times(run[3] or "0") + 1)]
    return values


def _times(text: str) -> int:
    if int(text) > _MOST:
        raise ValueError(f"{text} values; expected at most {_MOST}")
    return int(text)


def _plain(value: Decimal) -> Number:
    exponent = value.as_tuple().exponent
    return int(value) if isinstance(exponent, int) and exponent >= 0 else float(value)
