"""What was covered, for people and for programs.

In: a Coverage, readers in the dark. Out: text, a JSON value, percentages. Never: prints, exits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from logging_pkg.pipeline.schema_coverage.dark import Dark
from logging_pkg.pipeline.schema_coverage.seen import Coverage, EventSeen


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    seen: int
    declared: int

    @property
    def percent(self) -> float:
        """Of nothing, all is covered."""
        return 100 * self.seen / self.declared if self.declared else 100.0

    def __str__(self) -> str:
        return f"{self.seen}/{self.declared}" if self.declared else ""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one run."""

    coverage: Coverage
    dark: tuple[Dark, ...]

    def shares(self) -> dict[str, Share]:
        """Of events, and of the fields, options and metrics of all events."""
        events = self.coverage.events.values()
        totals = {"events": Share(sum(1 for event in events if event.line_count), len(events))}
        for kind in ("fields", "options", "metrics"):
            parts = [_share(event, kind) for event in events]
            totals[kind] = Share(sum(part.seen for part in parts), sum(part.declared for part in parts))
        return totals

    def __str__(self) -> str:
        """A table with a row per event, below it what was never seen, what hangs on it, and the sums."""
        width = max((len(name) for name in self.coverage.events), default=5)
        lines = [f"{'event':{width}}  {'lines':>9}  {'fields':>7}  {'options':>7}  {'metrics':>7}"]
        for name, event in self.coverage.events.items():
            shares = [_share(event, kind) for kind in ("fields", "options", "metrics")]
            columns = "  ".join(f"{share!s:>7}" for share in shares)
            lines.append(f"{name:{width}}  {event.line_count:>9,}  {columns}".rstrip())
            lines += [f"  {gap}" for gap in _gaps(event)]
        if self.dark:
            lines += ["", "These hang on something never seen:"]
            lines += [
                f"  {dark.place.path}:{dark.place.line}  {dark.place.kind} {dark.place.name}: {'; '.join(dark.lacks)}"
                for dark in self.dark
            ]
        return "\n".join([*lines, "", *self._summary()])

    def value(self) -> dict[str, Any]:
        """As JSON holds it."""
        coverage = self.coverage
        return {
            "lines": coverage.line_count,
            "invalid": coverage.invalid_count,
            "unreadable": coverage.unreadable_count,
            "undeclared": dict(coverage.undeclared),
            "covered": {
                kind: {"seen": share.seen, "declared": share.declared, "percent": round(share.percent, 1)}
                for kind, share in self.shares().items()
            },
            "events": {name: _event_value(event) for name, event in coverage.events.items()},
            "in_the_dark": [{**asdict(dark.place), "lacks": list(dark.lacks)} for dark in self.dark],
        }

    def _summary(self) -> Iterator[str]:
        coverage = self.coverage
        yield ", ".join(f"{share.percent:.0f} % of {kind} ({share})" for kind, share in self.shares().items())
        counts = [f"{coverage.line_count:,} lines"]
        counts += [f"{coverage.invalid_count:,} invalid: see logpipe schema validate"] if coverage.invalid_count else []
        counts += [f"{coverage.unreadable_count:,} no JSON objects"] if coverage.unreadable_count else []
        counts += [f"{count:,} of undeclared {name}" for name, count in coverage.undeclared.most_common(5)]
        yield ", ".join(counts)


def _share(event: EventSeen, kind: str) -> Share:
    if kind == "fields":
        return Share(sum(1 for field in event.fields.values() if field.value_count), len(event.fields))
    if kind == "options":
        counts = [count for field in event.fields.values() for count in field.options.values()]
        return Share(sum(1 for count in counts if count), len(counts))
    return Share(sum(1 for count in event.metrics.values() if count), len(event.metrics))


def _gaps(event: EventSeen) -> Iterator[str]:
    """What was never seen of an event that was."""
    if not event.line_count:
        return
    if event.never():
        yield f"never: {', '.join(event.never())}"
    if event.only_null():
        yield f"only null: {', '.join(event.only_null())}"
    for path, field in event.fields.items():
        if field.value_count and field.missing_options:
            yield f"{path} never: {', '.join(json.dumps(option) for option in field.missing_options)}"
    missing = [name for name, count in event.metrics.items() if not count]
    if missing:
        yield f"metrics without a value: {', '.join(missing)}"


def _event_value(event: EventSeen) -> dict[str, Any]:
    return {
        "lines": event.line_count,
        "never": event.never(),
        "only_null": event.only_null(),
        "options_never": {path: field.missing_options for path, field in event.fields.items() if field.missing_options},
        "metrics_never": [name for name, count in event.metrics.items() if not count],
    }
