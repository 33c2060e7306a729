"""Dashboards as Grafana's classic JSON, which every version reads.

In: a Dashboard of Panels, a RuleBook. Out: JSON as Python values. Never: text, files.

The shapes are those of the npm package @grafana/schema; tests/pipeline/dashboards/types checks them with TypeScript.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from logging_pkg.pipeline.dashboards.explore import explore_url, guide_title, runbook_url
from logging_pkg.pipeline.dashboards.layout import HEADING_HEIGHT, place
from logging_pkg.pipeline.dashboards.limits import limits_as_rates
from logging_pkg.pipeline.dashboards.model import GRID_WIDTH, LETTERS, Dashboard, Panel, Query
from logging_pkg.pipeline.dashboards.options import field_config, options
from logging_pkg.pipeline.dashboards.panel_link import panel_number
from logging_pkg.pipeline.dashboards.rule_book import RuleBook
from logging_pkg.pipeline.dashboards.variables import FIRST_SEEN, marks, variables

#: Grafana's own number of the format, of version 12: older ones read it, newer ones bring it up to date.
SCHEMA_VERSION: Final = 42
TAG: Final = "logging-pkg"
#: Grafana's own: each query names its source.
_MIXED: Final = {"type": "datasource", "uid": "-- Mixed --"}
_SOURCES: Final = {name: {"type": name, "uid": f"${{{name}}}"} for name in ("prometheus", "loki")}


def dashboard_json(
    dashboard: Dashboard, rows: Sequence[tuple[str, Sequence[Panel]]], rules: RuleBook
) -> dict[str, Any]:
    """A dashboard's JSON.

    Args:
        dashboard: its head; `rows` are its panels with those of metrics resolved.
        rows: heading and panels of each row; an empty heading makes none.
        rules: where limits and runbooks come from.
    """
    panels: list[dict[str, Any]] = []
    top = 0
    for number, (heading, of_row) in enumerate(rows, 1):
        if heading:
            panels.append(_heading(heading, number, top))
            top += HEADING_HEIGHT
        places, top = place((panel.size for panel in of_row), top)
        for panel, where in zip(of_row, places, strict=True):
            panels.append(_panel(panel, where, dashboard, rules))
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "weekStart": "",
        "time": {"from": dashboard.time_from, "to": "now"},
        "timepicker": {"refresh_intervals": ["10s", "30s", "1m", "5m", "15m"]},
        "refresh": "30s" if dashboard.is_live else "",
        "links": [_all_dashboards()],
        "templating": {"list": variables(dashboard)},
        "annotations": {"list": marks(dashboard, has_releases=FIRST_SEEN in rules.recorded)},
        "panels": panels,
    }


def _all_dashboards() -> dict[str, Any]:
    return _link("Dashboards", "", kind="dashboards") | {
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "tags": [TAG],
        "tooltip": "The other dashboards, for the same services and time",
    }


def _link(title: str, url: str, *, kind: str = "link") -> dict[str, Any]:
    return {
        "title": title,
        "type": kind,
        "icon": "external link",
        "tooltip": "",
        "url": url,
        "tags": [],
        "asDropdown": False,
        "targetBlank": kind == "link",
        "includeVars": False,
        "keepTime": False,
    }


def _heading(title: str, number: int, top: int) -> dict[str, Any]:
    where = {"x": 0, "y": top, "w": GRID_WIDTH, "h": HEADING_HEIGHT}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": where, "panels": []}


def _panel(panel: Panel, where: dict[str, int], dashboard: Dashboard, rules: RuleBook) -> dict[str, Any]:
    typed = frozenset(variable.name for variable in dashboard.variables if not variable.query)
    address = (dashboard.uid, panel_number(dashboard.uid, panel.title))
    # A project's own alerts are in no catalogue: that they link to the panel says that it is about them.
    linking = [name for name, alert in rules.alerts.items() if alert.panel == address]
    judging = [rules.alerts[name] for name in panel.alerts if name in rules.alerts]
    of_columns = [name for query in panel.queries for name in query.alerts]
    named = dict.fromkeys((*panel.alerts, *panel.runbooks, *of_columns, *linking))
    known = [name for name in named if name in rules.alerts]
    links = [_link("Logs", explore_url(panel.logs, typed=typed))] if panel.logs else []
    if panel.kind != "text":
        # Where no alert is about it, the page that tells how to read its dashboard.
        links += [_link(f"Runbook: {name}", runbook_url(name)) for name in known or [guide_title(dashboard.title)]]
    made = {
        "id": address[1],
        "type": panel.kind,
        "title": panel.title,
        "description": "\n\n".join([panel.told, *limits_as_rates(judging, panel.unit)]),
        "gridPos": where,
        "links": links,
        "options": options(panel),
        "fieldConfig": field_config(panel, rules.alerts),
    }
    if panel.kind == "text":
        return made
    is_mixed = any(query.source not in {None, panel.source} for query in panel.queries)
    made["datasource"] = _MIXED if is_mixed else _SOURCES[panel.source]
    made["targets"] = [_target(panel, query, letter) for letter, query in zip(LETTERS, panel.queries, strict=False)]
    if panel.kind == "table":
        made["transformations"] = _columns(panel)
    return made


def _target(panel: Panel, query: Query, letter: str) -> dict[str, Any]:
    source = query.source or panel.source
    target: dict[str, Any] = {"refId": letter, "datasource": _SOURCES[source], "expr": query.expr}
    is_instant = panel.kind in {"table", "bargauge"}
    if source == "loki":
        target |= {"editorMode": "code", "queryType": "instant" if is_instant else "range"}
        if panel.kind == "logs":
            target |= {"maxLines": 1000}
    else:
        target |= {"editorMode": "code", "instant": is_instant, "range": not is_instant}
        if panel.kind == "table":
            target |= {"format": "table"}
    if query.legend and panel.kind != "table":
        target |= {"legendFormat": query.legend}
    return target | ({"step": query.step} if query.step else {})


def _columns(panel: Panel) -> list[dict[str, Any]]:
    """One row per label set, a column per label and per query."""
    # With one query Grafana calls its column `Value`, with Loki `Value #A` all the same.
    names = {f"Value #{letter}": query.legend for letter, query in zip(LETTERS, panel.queries, strict=False)}
    if len(panel.queries) == 1:
        names |= {"Value": panel.queries[0].legend}
    hidden = ("Time", "__name__")
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": dict.fromkeys(hidden, True),
                "includeByName": {},
                "indexByName": {},
                "renameByName": names,
            },
        },
    ]
