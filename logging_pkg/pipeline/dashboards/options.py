"""How a panel of each kind is drawn.

In: a Panel and the alerts about it. Out: Grafana's `options` and `fieldConfig`. Never: queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from logging_pkg.pipeline.dashboards.model import Panel
from logging_pkg.pipeline.dashboards.rule_book import Alert

_OK, _COLOURS = "green", {"critical": "red"}
_WARNING: Final = "orange"
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


def field_config(panel: Panel, alerts: Sequence[Alert]) -> dict[str, Any]:
    """`fieldConfig`: unit, limits, what an empty panel says."""
    steps = threshold_steps(alerts)
    if panel.bad_from is not None:
        steps.append({"color": "red", "value": panel.bad_from})
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "noValue": panel.empty,
        "mappings": [],
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "thresholds" if panel.kind in {"stat", "bargauge"} else "palette-classic"},
    }
    if panel.kind in {"timeseries", "bargauge", "stat"}:
        defaults["min"] = 0
    if panel.unit == _RATIO and panel.kind == "bargauge":
        defaults["max"] = 1
    if panel.kind == "timeseries":
        defaults["custom"] = _lines(panel, has_limit=len(steps) > 1)
    if panel.kind == "table":
        defaults["custom"] = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True}
    overrides = [
        {"matcher": {"id": "byName", "options": query.legend}, "properties": [{"id": "unit", "value": query.unit}]}
        for query in panel.queries
        if panel.kind == "table" and query.unit
    ]
    return {"defaults": defaults, "overrides": overrides}


def threshold_steps(alerts: Sequence[Alert]) -> list[dict[str, Any]]:
    """Colours from the limits of alert rules: `> 1000` of a warning is orange from 1,000 on."""
    # Objectives share their limits: each is one step.
    limits = {(alert.limit, _COLOURS.get(alert.severity, _WARNING)) for alert in alerts if alert.limit}
    above = sorted((limit.value, colour) for limit, colour in limits if limit.op.startswith(">"))
    below = sorted((limit.value, colour) for limit, colour in limits if limit.op.startswith("<"))
    if not below:
        return [{"color": _OK, "value": None}, *({"color": colour, "value": value} for value, colour in above)]
    # Worst at the bottom: each limit is where its own colour ends and that of the next begins.
    colours = [colour for _value, colour in below] + [_OK]
    steps: list[dict[str, Any]] = [{"color": colours[0], "value": None}]
    return steps + [{"color": colours[place + 1], "value": value} for place, (value, _colour) in enumerate(below)]


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
