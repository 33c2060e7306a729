"""Compare the metrics of two versions of an event.

In: two EventSchemas. Out: Changes with the series they end. Never: fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from logging_pkg.pipeline.generate import rules_of
from logging_pkg.pipeline.schema_diff.changes import Change
from logging_pkg.schemas import EventSchema, Metric
from logging_pkg.schemas.metric_names import exposed_metric

#: What a metric is, besides its name and description.
_PARTS = ("kind", "field", "unit", "by", "window", "weight")


def metric_changes(old: EventSchema, new: EventSchema) -> Iterator[Change]:
    """The changes of an event's metrics, known by their names."""
    before, after = {m.name: m for m in old.metrics}, {m.name: m for m in new.metrics}
    renamed = dict(_renamed(before, after))
    for name, metric in before.items():
        if name in renamed:
            yield Change(old.name, "metric-renamed", "", f"{name} → {renamed[name].name}", series_of(old, metric))
        elif name not in after:
            yield Change(old.name, "metric-removed", "", f"{name} is gone", series_of(old, metric))
        else:
            yield from _changed(old, metric, new, after[name])
    for name in after:
        if name not in before and name not in {metric.name for metric in renamed.values()}:
            yield Change(old.name, "metric-added", "", f"{name} is new")


def series_of(event: EventSchema, metric: Metric) -> tuple[str, ...]:
    """The names of its series: recorded, and in /metrics."""
    return (*(rule.record for rule in rules_of(event, metric)), *exposed_metric(metric).samples)


def _renamed(before: dict[str, Metric], after: dict[str, Metric]) -> Iterator[tuple[str, Metric]]:
    """A metric that went, with one that came and is the same but for its name."""
    came = [metric for name, metric in after.items() if name not in before]
    for name, metric in before.items():
        if name in after:
            continue
        alike = next((other for other in came if _bare(other) == _bare(metric)), None)
        if alike is not None:
            came.remove(alike)
            yield name, alike


def _bare(metric: Metric) -> Metric:
    return replace(metric, name="", description="")


def _changed(old: EventSchema, before: Metric, new: EventSchema, after: Metric) -> Iterator[Change]:
    differing = [part for part in _PARTS if getattr(before, part) != getattr(after, part)]
    if not differing:
        return
    was, is_now = series_of(old, before), series_of(new, after)
    ended = tuple(name for name in was if name not in is_now)
    text = ", ".join(f"{part} {_text(getattr(before, part))} → {_text(getattr(after, part))}" for part in differing)
    meaning = "" if ended else "; the series keep their names and mean something else"
    kind = "unit-changed" if "unit" in differing else "metric-changed"
    # Counted differently under its old name, a series is as wrong as one that ended.
    yield Change(old.name, kind, "", f"{before.name}: {text}{meaning}", ended or was)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return "none" if value is None else str(value)
