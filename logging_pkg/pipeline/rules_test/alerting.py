"""Prometheus' state machine of alerts, on times of the past.

In: what an alert's expression was at each evaluation, labels already rendered. Out: which alerts are pending or firing
then. Never: a query, a clock.

As Loki's ruler does it (it runs Prometheus' rules/alerting.go): an alert is one label set; it is pending from the first
evaluation that has it, fires at the first one that is `for` later, and is gone at the first one without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.rules_test.labels import LabelKey, Labels, key_of, labels_text


@dataclass(frozen=True)
class Point:
    """A series at one evaluation: the labels the expression gave it, its value, and the labels of the alert."""

    series: Labels
    value: float
    labels: Labels


@dataclass(frozen=True)
class ActiveAlert:
    """An alert at one evaluation; `since_ns` is when it became active."""

    point: Point
    since_ns: int
    is_firing: bool


class DuplicateAlertError(RuleError):
    """Two series become one alert; Loki's ruler refuses such an evaluation, and no alert of the rule changes."""


def active_alerts(steps: Sequence[Iterable[Point]], interval_ns: int, for_ns: int) -> Mapping[LabelKey, ActiveAlert]:
    """The alerts that are active at the last of a series of evaluations, which began at 0.

    Raises:
        DuplicateAlertError: two series of one evaluation have the same alert labels.
    """
    active: dict[LabelKey, ActiveAlert] = {}
    for number, points in enumerate(steps):
        now_ns = number * interval_ns
        found: dict[LabelKey, Point] = {}
        for point in points:
            key = key_of(point.labels)
            if key in found:
                both = f"{labels_text(found[key].series)} and {labels_text(point.series)}"
                raise DuplicateAlertError(f"two series become one alert, {labels_text(key)}: {both}")
            found[key] = point
        since = {key: active[key].since_ns if key in active else now_ns for key in found}
        active = {key: ActiveAlert(point, since[key], now_ns - since[key] >= for_ns) for key, point in found.items()}
    return active
