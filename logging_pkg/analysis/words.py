"""Lengths of time, sizes and counts in a few characters.

In: numbers. Out: text. Never: more than one unit, or a unit that is not said.
"""

from __future__ import annotations


def span(seconds: float) -> str:
    """A length of time in one unit: `12 s`, `5 min`, `3 h`, `2 days`."""
    seconds = max(0.0, seconds)
    for least, unit_s, unit in ((48 * 3600, 86400, "days"), (2 * 3600, 3600, "h"), (120, 60, "min")):
        if seconds >= least:
            return f"{seconds / unit_s:,.0f} {unit}"
    return f"{seconds:.0f} s"


def size(in_bytes: float) -> str:
    """`900 bytes`, `1.5 MiB`; below 0 it shrinks."""
    for unit in ("bytes", "KiB", "MiB"):
        if abs(in_bytes) < 1024:
            return f"{in_bytes:,.0f} {unit}" if unit == "bytes" else f"{in_bytes:,.1f} {unit}"
        in_bytes /= 1024
    return f"{in_bytes:,.1f} GiB"


def counted(number: int, noun: str) -> str:
    """`1 line`, `1,204 lines`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
