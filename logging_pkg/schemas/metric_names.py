"""The names a `/metrics` endpoint gives to the metrics the schemas declare.

In: metrics of `x-metrics`. Out: Prometheus names, types and factors. Never: a value, a rule.

The mapping, in the spirit of https://prometheus.io/docs/practices/naming/ (base units, unit as suffix, `_total`):

    counter    <name>[_<base unit>]_total   events counted, or the field (or weight) summed up
    histogram  <name>[_<base unit>]         the field's values in buckets: `_bucket`, `_sum`, `_count`
    gauge      <name>[_<base unit>]         a summary without quantiles: `_sum` and `_count` of the field

A gauge here is the mean of a field over a window of events (the share of failed requests, say). The last event's value
would be 0 or 1; `rate(x_sum[5m]) / rate(x_count[5m])` is the mean that the recorded series holds as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logging_pkg.exceptions import RuleError
from logging_pkg.schemas.registry import Metric, Registry

#: Unit of `x-metrics` -> Prometheus's base unit, and what values are multiplied with. Any other unit stays as it is.
BASE_UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "us": ("seconds", 1e-6),
    "ms": ("seconds", 1e-3),
    "s": ("seconds", 1.0),
    "min": ("seconds", 60.0),
    "h": ("seconds", 3600.0),
    "percent": ("ratio", 0.01),
    "1": ("", 1.0),
}
_TYPES: Final = {"counter": "counter", "histogram": "histogram", "gauge": "summary"}
_SAMPLE_SUFFIXES: Final = {"counter": ("",), "histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


@dataclass(frozen=True, slots=True)
class ExposedMetric:
    """How one metric appears in a scrape.

    Attributes:
        name: of the family, e.g. `http_response_time_seconds`; a counter's ends in `_total`.
        type: `counter`, `histogram` or `summary`.
        factor: what the field's values are multiplied with, e.g. 0.001 from ms to seconds.
    """

    name: str
    type: str
    factor: float

    @property
    def samples(self) -> tuple[str, ...]:
        """The names of its time series."""
        return tuple(f"{self.name}{suffix}" for suffix in _SAMPLE_SUFFIXES[self.type])


def exposed_metric(metric: Metric) -> ExposedMetric:
    """The name, type and factor of a metric: the same metric gives the same ones."""
    unit, factor = BASE_UNITS.get(metric.unit, (metric.unit, 1.0))
    name = metric.name.removesuffix(f"_{metric.unit}")
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    if metric.kind == "counter":
        name = f"{name.removesuffix('_total')}_total"
    return ExposedMetric(name, _TYPES[metric.kind], factor)


def check_exposed_names(registry: Registry) -> None:
    """See to it that no two metrics would come out under one name.

    Raises:
        RuleError: two would, naming the file, both metrics and what to do.
    """
    owners: dict[str, str] = {}
    for event_name in sorted(registry.events):
        event = registry.events[event_name]
        for metric in event.metrics:
            for sample in exposed_metric(metric).samples:
                if sample in owners:
                    raise RuleError(
                        f"{event.path}: x-metrics: {metric.name} would be {sample} in /metrics, which {owners[sample]} "
                        "is already; rename one of the two metrics"
                    )
                owners[sample] = f"{metric.name} of {event.path.name}"
