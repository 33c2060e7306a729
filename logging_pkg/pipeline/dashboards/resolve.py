"""Panels of metrics, made from the schemas.

In: a MetricPanel, a registry, the dashboard's variables. Out: a Panel. Never: JSON.
"""

from __future__ import annotations

from collections.abc import Iterable

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.dashboards.model import CHOSEN, MetricPanel, Panel, Query
from logging_pkg.pipeline.panels import panel_parts
from logging_pkg.schemas import EventSchema, Metric, Registry
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA


def resolve(panel: MetricPanel, registry: Registry, variables: Iterable[str]) -> Panel:
    """The panel of a metric.

    Raises:
        RuleError: the event or the metric is not declared, naming the panel.
    """
    event = registry.events.get(panel.event)
    metric = next((one for one in event.metrics if one.name == panel.metric), None) if event else None
    if event is None or metric is None:
        raise RuleError(f"no metric {panel.metric} in x-metrics of {panel.event}")
    chosen = [name for name in variables if name in metric.by]
    parts = panel_parts(event, metric)
    wanted = [query for query in parts.queries if len(parts.queries) == 1 or query.legend.split()[0] in panel.only]
    has_quantile = len(wanted) > 1
    quantile = f", {panel.only[0]}" if metric.kind == "histogram" and not has_quantile else ""
    return Panel(
        title=panel.title or parts.title.replace(", by", f"{quantile}, by", 1),
        description=panel.description or parts.description,
        queries=tuple(
            Query(
                query.series + _selector(chosen),
                query.legend
                if has_quantile
                else " ".join(f"{{{{{name}}}}}" for name in metric.by or ("service_name",)),
            )
            for query in wanted
        ),
        kind=panel.kind,
        unit=parts.unit,
        logs=lines_of(event, metric, chosen),
        alerts=panel.alerts,
        runbooks=panel.runbooks,
        bad_from=panel.bad_from,
        no_limit=panel.no_limit,
        empty=panel.empty or f"No {event.name} in this time range",
        width=panel.width,
        is_stacked=panel.is_stacked,
    )


def lines_of(event: EventSchema, metric: Metric, chosen: Iterable[str]) -> str:
    """LogQL of the lines a metric is computed from, with the fields it reads as columns."""
    names = dict.fromkeys(name for name in (*metric.by, metric.field) if name)
    keys = [name for name in names if name not in (*STREAM_LABELS, *STRUCTURED_METADATA)]
    stages = [f'{{event="{event.name}", {CHOSEN}}}']
    if keys:
        stages.append("json " + ", ".join(f'{key}="{key}"' for key in keys))
    stages += [f'{name}=~"${name}"' for name in chosen]
    return " | ".join(stages)


def _selector(chosen: Iterable[str]) -> str:
    return "{" + ", ".join([CHOSEN, *(f'{name}=~"${name}"' for name in chosen)]) + "}"
