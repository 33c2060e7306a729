"""The metrics endpoint: the newest value of every recorded series, as Prometheus text or as JSON.

In: what Prometheus has recorded from the log. Out: samples under the names of docs/METRICS.md. Never: a counter of this
process's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from logging_pkg import conf
from logging_pkg.console.desk import Desk, Question
from logging_pkg.loki_client import Vector
from logging_pkg.pipeline.generate import rules_of
from logging_pkg.schemas import load_registry

#: Prometheus's text format, https://prometheus.io/docs/instrumenting/exposition_formats/
TEXT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: Every series whose name has the shape of a recorded one: `level:metric:operation`.
_QUERY: Final = '{__name__=~"[a-z0-9_]+:[a-z0-9_]+:[a-z0-9_]+"}'


@dataclass(frozen=True, slots=True)
class Recorded:
    """A series that the schemas declare."""

    name: str
    help: str
    unit: str
    logql: str


@lru_cache(maxsize=4)
def recorded_series(directories: tuple[Any, ...]) -> dict[str, Recorded]:
    """Every series that the schemas ask the ruler to record, by name."""
    registry = load_registry(directories)
    return {
        rule.record: Recorded(rule.record, " ".join(metric.description.split()), metric.unit, rule.expr)
        for _, event in sorted(registry.events.items())
        for metric in event.metrics
        for rule in rules_of(event, metric)
    }


def ask(desk: Desk) -> Question:
    """One question for all of them."""
    return desk.promql(_QUERY)


def declared_series() -> dict[str, Recorded]:
    """Those of this project."""
    return recorded_series(conf.settings().schema_directories)


def as_text(answer: Vector) -> str:
    """Prometheus's text format."""
    lines: list[str] = []
    for recorded, samples in _families(answer):
        lines += [f"# HELP {recorded.name} {_escaped(recorded.help)}", f"# TYPE {recorded.name} gauge"]
        lines += [f"{recorded.name}{_labels(labels)} {_value(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def as_json(answer: Vector) -> dict[str, Any]:
    """The same for programs, with unit and LogQL."""
    return {
        recorded.name: {
            "description": recorded.help,
            "unit": recorded.unit,
            "logql": recorded.logql,
            # JSON has neither infinities nor NaN.
            "samples": [
                {"labels": labels, "value": value if math.isfinite(value) else None} for labels, value in samples
            ],
        }
        for recorded, samples in _families(answer)
    }


def _families(answer: Vector) -> Iterator[tuple[Recorded, list[tuple[dict[str, str], float]]]]:
    declared = declared_series()
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for sample in answer.samples:
        labels = dict(sample.labels)
        name = labels.pop("__name__", "")
        if name in declared:
            found.setdefault(name, []).append((labels, sample.value))
    for name, samples in sorted(found.items()):
        yield declared[name], sorted(samples, key=lambda item: sorted(item[0].items()))


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value, quotes=True)}"' for name, value in sorted(labels.items()))
    return "{" + pairs + "}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
    return escaped.replace('"', '\\"') if quotes else escaped


def _value(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(value)
