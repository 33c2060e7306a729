"""Write docs/METRICS.md: every metric, its recorded series and where they come from.

In: a schema registry. Out: the text of docs/METRICS.md; the same registry gives the same bytes. Never: the clock.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.generate import SERIES_LABELS
from logging_pkg.pipeline.markdown import GENERATED, anchor, block, code, prose, table
from logging_pkg.pipeline.panels import panel_parts
from logging_pkg.schemas import EventSchema, Metric, Registry
from logging_pkg.schemas.metric_names import check_exposed_names, exposed_metric

#: The generated file, relative to the project.
METRICS_DOCUMENT: Final = "docs/METRICS.md"

_INTRODUCTION = """\
# Metrics

Every metric the schemas declare in `x-metrics`, {metric_count} of them in {series_count} recorded series. Loki's ruler
computes the series from the events and writes them to Prometheus; each has the labels {labels} and
those under *by*.

A series is called `level:metric:operation` (docs/adr/0020): its labels, the metric with its unit, and what was done
over which window: `rate_5m` per second, `sum_5m`, `avg_5m`, `p50_5m`, `p95_5m`, `p99_5m`.

The console's endpoint gives the recorded series under these very names ([CONSOLE.md](CONSOLE.md)). *In /metrics* is the
name that Prometheus's conventions give the metric itself, for an exporter of your own: base units (seconds, bytes,
ratio) as suffix, `_total` on counters; a histogram has `_bucket`, `_sum` and `_count`; a gauge, here a mean,
is a summary with `_sum` and `_count`. Values are multiplied as shown: 0.001 makes seconds of ms.

How to add one: [MONITORING.md](MONITORING.md#a-new-metric). The events behind them: [EVENTS.md](EVENTS.md).
"""


def metrics_document(registry: Registry) -> str:
    """Return the text of docs/METRICS.md.

    Raises:
        RuleError: a metric cannot be written as a rule, or two would have one name in /metrics.
    """
    check_exposed_names(registry)
    metrics = [(event, metric) for _, event in sorted(registry.events.items()) for metric in event.metrics]
    parts = [panel_parts(event, metric) for event, metric in metrics]
    rows = [
        (f"[{query.series}]({anchor(metric.name)})", prose(metric.description))
        for (_, metric), part in zip(metrics, parts, strict=True)
        for query in part.queries
    ]
    introduction = _INTRODUCTION.format(
        metric_count=len(metrics), series_count=len(rows), labels=" and ".join(map(code, SERIES_LABELS))
    )
    return "\n".join(
        [GENERATED, introduction, table(("series", "tells"), rows), *(_section(*metric) for metric in metrics)]
    )


def _section(event: EventSchema, metric: Metric) -> str:
    parts, exposed = panel_parts(event, metric), exposed_metric(metric)
    of = f"{code(metric.field or '')} of " if metric.field else ""
    weight = f", each as many as {code(metric.weight)} says" if metric.weight else ""
    factor = "" if exposed.factor == 1 else f", × {exposed.factor:g}"
    facts = [
        ("kind", metric.kind),
        ("from", f"{of}[{event.name}](EVENTS.md{anchor(event.name)}){weight}"),
        ("unit", "" if metric.unit == "1" else metric.unit),
        ("by", ", ".join(map(code, metric.by))),
        ("in /metrics", f"{code(exposed.name)}, {exposed.type}{factor}"),
        ("panel", f"{parts.title}; unit {code(parts.unit)}"),
        *(("query", f"{code(query.promql)}, legend {code(query.legend)}") for query in parts.queries),
    ]
    queries = "\n\n".join(f"# {query.series}\n{query.logql}" for query in parts.queries)
    return "\n".join(
        [
            f"## {metric.name}\n",
            f"{prose(metric.description)}\n",
            "".join(f"- {name}: {fact}\n" for name, fact in facts if fact),
            block("logql", queries),
        ]
    )
