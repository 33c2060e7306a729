"""How a panel of each kind is drawn.

In: a Panel and the alert rules. Out: Grafana's `options` and `fieldConfig`. Never: queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from logging_pkg.pipeline.dashboards.limits import threshold_steps
from logging_pkg.pipeline.dashboards.model import Panel, Query
from logging_pkg.pipeline.dashboards.rule_book import Alert

#: Shares are never more than 1 nor less than 0; an axis that shows it is read at a glance.
_RATIO: Final = "percentunit"
_REDUCED: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def options(panel: Panel) -> dict[str, Any]:
    """`options` of a panel's kind."""
    match panel.kind:
        case "timeseries":
            return {
                "legend": {
                    "displayMode": "table",
                    "placement": "bottom",
                    "showLegend": True,
                    "calcs": ["lastNotNull", "max"],
                    "sortBy": "Max",
                    "sortDesc": True,
                },
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case "stat":
            return {
                "reduceOptions": _REDUCED,
                "orientation": "auto",
                "colorMode": "value",
                "graphMode": "area",
                "justifyMode": "auto",
                "textMode": "auto",
                "wideLayout": True,
                "showPercentChange": False,
                "percentChangeColorMode": "standard",
            }
        case "table":
            return {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}
        case "bargauge":
            return {
                "reduceOptions": _REDUCED,
                "orientation": "horizontal",
                "displayMode": "basic",
                "valueMode": "color",
                "namePlacement": "auto",
                "sizing": "auto",
                "showUnfilled": True,
                "minVizHeight": 16,
                "minVizWidth": 8,
                "maxVizHeight": 300,
                "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
            }
        case "logs":
            return {
                "showTime": True,
                "showLabels": False,
                "showCommonLabels": False,
                "showLogContextToggle": False,
                "wrapLogMessage": True,
                "prettifyLogMessage": False,
                "enableLogDetails": True,
                "dedupStrategy": "none",
                "sortOrder": "Ascending" if panel.is_oldest_first else "Descending",
            }
        case _:
            return {"mode": "markdown", "content": panel.content}


def field_config(panel: Panel, alerts: Mapping[str, Alert]) -> dict[str, Any]:
    """`fieldConfig`: unit, limits, what an empty panel says.

    Args:
        panel: which.
        alerts: every alert rule, by name.
    """
    exprs = [query.expr for query in panel.queries]
    steps = threshold_steps(
        _named(panel.alerts, alerts), exprs, panel.unit, bad_from=panel.bad_from, bad_below=panel.bad_below
    )
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "noValue": panel.empty,
        "mappings": [],
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind in {"stat", "bargauge"} else "palette-classic"},
    }
    if panel.kind in {"timeseries", "bargauge", "stat"} and panel.bad_below != 0:
        defaults["min"] = 0
    if panel.unit == _RATIO and panel.kind == "bargauge":
        defaults["max"] = 1
    if panel.kind == "timeseries":
        defaults["custom"] = _lines(panel, has_limit=len(steps) > 1)
    if panel.kind == "table":
        defaults["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True}
    overrides = [
        {"matcher": {"id": "byName", "options": query.legend}, "properties": properties}
        for query in panel.queries
        if panel.kind == "table" and (properties := list(_column(query, panel, alerts)))
    ]
    return {"defaults": defaults, "overrides": overrides}


def _column(query: Query, panel: Panel, alerts: Mapping[str, Alert]) -> Iterator[dict[str, Any]]:
    """What a table's column has of its own: a unit, and limits by which its numbers are coloured."""
    unit = query.unit or panel.unit
    names = query.alerts or (panel.alerts if len(panel.queries) == 1 else ())
    if query.unit:
        yield {"id": "unit", "value": query.unit}
    steps = threshold_steps(_named(names, alerts), [query.expr], unit, bad_below=query.bad_below)
    if len(steps) > 1:
        yield {"id": "thresholds", "value": {"mode": "absolute", "steps": steps}}
        yield {"id": "color", "value": {"mode": "thresholds"}}
        yield {"id": "custom.cellOptions", "value": {"type": "color-text"}}


def _named(names: Iterable[str], alerts: Mapping[str, Alert]) -> list[Alert]:
    return [alerts[name] for name in names if name in alerts]


def _lines(panel: Panel, *, has_limit: bool) -> dict[str, Any]:
    return {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 30 if panel.is_stacked else 5,
        "showPoints": "auto",
        # Recorded every 15 s to 2 min; a longer hole is one, and is shown as one.
        "spanNulls": 300_000,
        "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if has_limit else "off"},
        "axisSoftMin": 0,
    }
