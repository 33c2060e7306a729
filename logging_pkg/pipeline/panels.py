"""What a Grafana panel needs to show a metric.

In: an event's schema and one of its metrics. Out: title, description, unit, queries and legends. Never: a dashboard's
JSON, a place on one, a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logging_pkg.pipeline.generate import RecordingRule, rules_of
from logging_pkg.schemas import EventSchema, Metric, Registry

#: Unit of `x-metrics` -> Grafana's id of it (packages/grafana-data/src/valueFormats/categories.ts).
GRAFANA_UNITS: Final = {
    "us": "µs",
    "ms": "ms",
    "s": "s",
    "min": "m",
    "h": "h",
    "bytes": "bytes",
    "ratio": "percentunit",
    "percent": "percent",
}
#: Of what is counted per second, and of any other number.
_PER_SECOND, _NUMBER = "cps", "short"
#: The variables every dashboard of this project has.
_SELECTOR: Final = '{service_name=~"$service_name", env=~"$env"}'
_SPELLINGS: Final = {"http": "HTTP", "api": "API", "db": "database", "google": "Google", "n": "N", "apdex": "Apdex"}


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """One line of a panel.

    Attributes:
        series: the recorded series.
        promql: of it in Prometheus, for the services and environments that the dashboard's variables choose.
        logql: what Loki's ruler records it from.
        legend: Grafana's template, `p95 {{route}}`.
    """

    series: str
    promql: str
    logql: str
    legend: str


@dataclass(frozen=True, slots=True)
class PanelParts:
    """A metric as a panel shows it: `unit` is Grafana's id, a histogram has three queries, anything else one."""

    title: str
    description: str
    unit: str
    queries: tuple[PanelQuery, ...]


def panel_parts(event: EventSchema, metric: Metric) -> PanelParts:
    """The parts for one metric.

    Raises:
        RuleError: the metric cannot be written as a rule.
    """
    rules = rules_of(event, metric)
    operation, window = _operation(rules[-1])
    return PanelParts(
        _title(metric, operation, window),
        f"{metric.description} From {event.name}, over {window}.".strip(),
        _PER_SECOND if operation == "rate" else GRAFANA_UNITS.get(metric.unit, _NUMBER),
        tuple(_query(metric, rule, is_alone=len(rules) == 1) for rule in rules),
    )


def all_panel_parts(registry: Registry) -> list[PanelParts]:
    """The parts for every metric, in the order of events' names."""
    return [panel_parts(event, metric) for _, event in sorted(registry.events.items()) for metric in event.metrics]


def _operation(rule: RecordingRule) -> tuple[str, str]:
    """What was done over which window: `("p95", "5m")`."""
    operation, _, window = rule.record.rsplit(":", 1)[1].partition("_")
    return operation, window


def _title(metric: Metric, operation: str, window: str) -> str:
    words = " ".join(_SPELLINGS.get(word, word) for word in metric.name.split("_"))
    counted = {"rate": " per second", "sum": f" in {window}"}.get(operation, "")
    per = f", by {', '.join(metric.by)}" if metric.by else ""
    return f"{words[:1].upper()}{words[1:]}{counted}{per}"


def _query(metric: Metric, rule: RecordingRule, *, is_alone: bool) -> PanelQuery:
    labels = " ".join(f"{{{{{name}}}}}" for name in metric.by or ("service_name",))
    operation, _window = _operation(rule)
    return PanelQuery(rule.record, rule.record + _SELECTOR, rule.expr, labels if is_alone else f"{operation} {labels}")
