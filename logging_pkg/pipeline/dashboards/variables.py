"""What is chosen at the top of a dashboard, and what is marked on its graphs.

In: a Dashboard. Out: Grafana's `templating` and `annotations` entries. Never: panels.
"""

from __future__ import annotations

from typing import Any, Final

from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, Variable

#: Every choice at once. Not `.+`: a plus in a URL is a space, and a series without the label belongs to all of them.
ALL: Final = ".*"
#: A process is said to have started when it reports for the first time; processes report every 15 s.
_STARTED_WITHIN_S: Final = 16
#: When a release was first seen, s since 1970 (loki/prometheus_rules/regression.yaml).
FIRST_SEEN: Final = "release:process_first_seen_s:min"
_FIRST_SEEN_WITHIN_S: Final = 120
_HIDDEN: Final = 2
_SERVICES: Final = (
    Variable("service_name", "label_values(service_name)", description="Services by their name"),
    Variable("env", 'label_values({service_name=~"$service_name"}, env)', description="Environments"),
)


def variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    """The choices, data sources first."""
    chosen = (*(_SERVICES if dashboard.has_services else ()), *dashboard.variables)
    sources = [_data_source(name) for name in ("prometheus", "loki")]
    return sources + [_listed(variable) if variable.query else _typed(variable) for variable in chosen]


def marks(dashboard: Dashboard, *, has_releases: bool) -> list[dict[str, Any]]:
    """Alerts that fire, releases, and processes that start.

    Args:
        dashboard: which.
        has_releases: whether a rule records when a release was first seen; without it, starts tell of releases.
    """
    if not (dashboard.is_live and dashboard.has_services):
        return []
    of_prometheus = {"datasource": {"type": "prometheus", "uid": "${prometheus}"}, "step": "60s"}
    firing = of_prometheus | {
        "name": "Alerts",
        "enable": True,
        "iconColor": "red",
        "expr": f'ALERTS{{alertstate="firing", severity!="info", {CHOSEN}}}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{severity}} {{service_name}} {{route}}",
        "tagKeys": "alertname,severity,service_name,env",
    }
    released = of_prometheus | {
        "name": "Releases",
        "enable": True,
        "iconColor": "blue",
        "expr": f"{FIRST_SEEN}{{{CHOSEN}}} > time() - {_FIRST_SEEN_WITHIN_S}",
        "titleFormat": "{{service_name}}: release {{release}}",
        "textFormat": "{{env}}",
        "tagKeys": "service_name,env",
    }
    started = {
        "name": "Starts",
        "datasource": {"type": "loki", "uid": "${loki}"},
        "enable": not has_releases,
        "iconColor": "purple",
        "expr": (
            f'{{event="process.sampled", {CHOSEN}}} | json uptime_s="uptime_s", release="release" '
            f"| uptime_s < {_STARTED_WITHIN_S}"
        ),
        "titleFormat": "{{service_name}} started, release {{release}}",
        "textFormat": "",
        "tagKeys": "service_name,env",
        "maxLines": 200,
    }
    return [firing, released, started] if has_releases else [firing, started]


def _data_source(kind: str) -> dict[str, Any]:
    """By default the one that grafana/provisioning/ names; another Grafana's by `?var-loki=UID`."""
    return {
        "name": kind,
        "type": "datasource",
        "label": kind.capitalize(),
        "query": kind,
        "hide": _HIDDEN,
        "current": {"text": kind.capitalize(), "value": kind},
        "includeAll": False,
        "multi": False,
        "regex": "",
        "refresh": 1,
        "options": [],
    }


def _listed(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "type": "query",
        "description": variable.description,
        "datasource": {"type": "prometheus", "uid": "${prometheus}"},
        "query": {"qryType": 1, "query": variable.query, "refId": variable.name},
        "current": {"text": "All", "value": "$__all"},
        "includeAll": True,
        "allValue": ALL,
        "multi": True,
        "sort": 1,
        # The labels seen in the time range that is looked at.
        "refresh": 2,
        "regex": "",
        "options": [],
    }


def _typed(variable: Variable) -> dict[str, Any]:
    value = {"text": variable.default, "value": variable.default}
    return {
        "name": variable.name,
        "type": "textbox",
        "description": variable.description,
        "query": variable.default,
        "current": value,
        "options": [{**value, "selected": True}],
    }
