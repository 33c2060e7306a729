"""Two releases beside each other: what got slower, does more queries, fails more.

In: rows of one table, of the release before and the one after. Out: a Change per group, the worst first. Never: a
verdict on a handful of events.

A time is judged by two questions (as benchmarks of releases are): is the difference larger than chance makes it
(Welch's z of the means above 4), and is it large enough to matter (a fifth of what it was, and 20 ms)? Queries per
request are no matter of chance: half a query more is more. Errors: one of 100 more.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from logging_pkg.analysis.tables import Column, TableRow

MINIMUM_COUNT = 30
_CERTAIN_Z = 4.0
_SHARE, _FLOOR_MS, _FLOOR_QUERIES, _FLOOR_ERRORS = 0.2, 20.0, 0.5, 0.01


@dataclass(frozen=True, slots=True)
class Change:
    """One group in both releases.

    Attributes:
        key: the group.
        before: its numbers by column title, of the release before; None where it had no such event.
        after: the same of the release after.
        worse: what got worse, in words; empty when nothing did.
        better: what got better.
        is_judged: whether both have enough events for a verdict.
    """

    key: tuple[str, ...]
    before: Mapping[str, float | None] | None
    after: Mapping[str, float | None] | None
    worse: tuple[str, ...]
    better: tuple[str, ...]
    is_judged: bool


def compare(columns: Sequence[Column], before: Iterable[TableRow], after: Iterable[TableRow]) -> list[Change]:
    """A Change per group that either release has; what got worse first, then by number of events.

    Args:
        columns: of both; `count`, `mean`, `stddev`, `p95`, `queries` and `errors` are judged where they are there.
        before: rows of the earlier release.
        after: rows of the later one.
    """
    titles = [column.title for column in columns]
    old = {row.key: dict(zip(titles, row.values, strict=True)) for row in before}
    new = {row.key: dict(zip(titles, row.values, strict=True)) for row in after}
    changes = [_change(key, old.get(key), new.get(key)) for key in {**old, **new}]
    return sorted(changes, key=_rank)


def _rank(change: Change) -> tuple[int, float, tuple[str, ...]]:
    return -len(change.worse), -((change.after or {}).get("count") or 0), change.key


def _change(
    key: tuple[str, ...], before: Mapping[str, float | None] | None, after: Mapping[str, float | None] | None
) -> Change:
    if before is None or after is None or min(before["count"] or 0, after["count"] or 0) < MINIMUM_COUNT:
        return Change(key, before, after, (), (), is_judged=False)
    verdicts = {
        "slower": _time(before, after),
        "more queries": _step(before, after, "queries", _FLOOR_QUERIES),
        "more errors": _step(before, after, "errors", _FLOOR_ERRORS),
    }
    opposite = {"slower": "faster", "more queries": "fewer queries", "more errors": "fewer errors"}
    worse = tuple(word for word, verdict in verdicts.items() if verdict > 0)
    better = tuple(opposite[word] for word, verdict in verdicts.items() if verdict < 0)
    return Change(key, before, after, worse, better, is_judged=True)


def _time(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> int:
    """1 when slower, -1 when faster, 0 when that is not certain, or not much."""
    old, new = before["mean"] or 0.0, after["mean"] or 0.0
    error = math.sqrt(
        (before["stddev"] or 0.0) ** 2 / (before["count"] or 1) + (after["stddev"] or 0.0) ** 2 / (after["count"] or 1)
    )
    if abs(new - old) <= _CERTAIN_Z * error:
        return 0
    for name in ("p50", "p95"):
        difference = (after[name] or 0.0) - (before[name] or 0.0)
        if abs(difference) >= max(_FLOOR_MS, _SHARE * (before[name] or 0.0)) and (difference > 0) is (new > old):
            return 1 if difference > 0 else -1
    return 0


def _step(before: Mapping[str, float | None], after: Mapping[str, float | None], name: str, floor: float) -> int:
    difference = (after.get(name) or 0.0) - (before.get(name) or 0.0)
    return 0 if abs(difference) < floor else 1 if difference > 0 else -1
