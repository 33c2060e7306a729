"""Prometheus's part of the objectives: burn rates, the budget that is left, and who is told when it goes too fast.

In: Slos. Out: the text of loki/prometheus_rules/slos.yaml. Never: a second page for one breach: an objective has one
alert that wakes somebody, whichever pair of windows sees it, and its ticket is silent meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from logging_pkg.pipeline.dashboards.catalogue.service_levels import PAGES_TITLE, TICKETS_TITLE, UID
from logging_pkg.pipeline.dashboards.panel_link import panel_number
from logging_pkg.pipeline.slo.logql import line_filter
from logging_pkg.pipeline.slo.model import PAGE, TICKET, WINDOWS, BurnWindow, Slo

#: The generated file, relative to the project.
SLO_PROMETHEUS_RULES: Final = "loki/prometheus_rules/slos.yaml"
_HEADER: Final = """\
# Generated from loki/slos.yaml by `logpipe generate`. Do not edit: change that file and run it again.
#
# A burn rate is the share of bad events divided by the share that may be bad: at 1 the budget lasts exactly for the
# objective's window, at 14.4 for two days of 30. docs/SERVICE_LEVELS.md tells how to read them.
"""


def slo_prometheus_rules(slos: Sequence[Slo]) -> str:
    """The text of loki/prometheus_rules/slos.yaml: the same objectives give the same bytes."""
    return _HEADER + "groups:\n" + "\n".join(map(_group, slos))


def _group(slo: Slo) -> str:
    lines = [f"  # {slo.description}", f"  - name: slo:{slo.name}", "    interval: 1m", "    rules:"]
    for window in WINDOWS:
        lines += _record(slo, f"slo:burn_rate:avg_{window}", f"{_error_ratio(slo, window)} / {slo.budget:.12g}")
    total = f"{slo.window_days}d"
    lines += _record(slo, f"slo:error_ratio:avg_{total}", _error_ratio(slo, total))
    left = f'1 - slo:error_ratio:avg_{total}{{slo="{slo.name}"}} / {slo.budget:.12g}'
    lines += _record(slo, "slo:error_budget_left:ratio", left)
    lines += _alert(slo, slo.page_name, "critical", PAGE, "")
    # The page is evaluated before, so its ALERTS of this very moment are there.
    unless = f'unless on (service_name, env) ALERTS{{alertname="{slo.page_name}", alertstate="firing"}}'
    lines += ["", *_alert(slo, slo.ticket_name, "warning", TICKET, unless)]
    return "\n".join(lines) + "\n"


def _error_ratio(slo: Slo, window: str) -> str:
    """The share of bad events; 0 where none is recorded."""
    total = f"sum_over_time({slo.events_series}[{window}])"
    return f"(sum_over_time({slo.bad_events_series}[{window}]) or 0 * {total}) / {total}"


def _record(slo: Slo, record: str, expr: str) -> list[str]:
    return [
        f"      - record: {json.dumps(record)}",
        f"        expr: {json.dumps(expr)}",
        f"        labels: {{slo: {slo.name}}}",
    ]


def _alert(slo: Slo, name: str, severity: str, windows: Sequence[BurnWindow], unless: str) -> list[str]:
    first, second = windows
    body = ["(", *_pair(slo, first), ")", "or", "(", *_pair(slo, second), ")"]
    if unless:
        body = ["(", *(f"  {line}" for line in body), ")", unless]
    objective = f"{slo.objective * 100:.10g} %"
    left = (
        f"{{{{ with printf `slo:error_budget_left:ratio{{slo={json.dumps(slo.name)}, service_name=%q, env=%q}}` "
        "$labels.service_name $labels.env | query }}{{ . | first | value | humanizePercentage }}"
        "{{ else }}an unknown share{{ end }}"
    )
    budget = f"{slo.budget * 100:.10g} %"
    value = '{{ $value | printf "%.1f" }}'
    pace = " or ".join(f"{slo.burn_rate(window):g} over {window.long} and {window.short}" for window in windows)
    return [
        f"      - alert: {name}",
        "        expr: |-",
        *(f"          {line}" for line in body),
        "        labels:",
        f"          severity: {severity}",
        "        annotations:",
        "          summary: >-",
        f"            {{{{ $labels.service_name }}}}: {slo.name} burns its error budget {value} times too fast",
        "          description: >-",
        f"            {slo.description} The objective of {slo.name} is {objective} over {slo.window_days} days;",
        f"            {{{{ $labels.service_name }}}} ({{{{ $labels.env }}}}) has bad events at {value} times",
        f"            the {budget} that may be bad. The limit is {pace},",
        f"            with at least {slo.least_bad_events} bad events.",
        f"            Of the budget {left} is left.",
        f"          runbook_url: docs/runbooks/{name}.md",
        "          dashboard_url: >-",
        *_panel(slo, TICKETS_TITLE if unless else PAGES_TITLE),
        "          logs_url: >-",
        *_explore(_bad_lines(slo)),
    ]


def _pair(slo: Slo, window: BurnWindow) -> list[str]:
    burn = f"{slo.burn_rate(window):.9g}"
    return [
        f'  slo:burn_rate:avg_{window.long}{{slo="{slo.name}"}} > {burn}',
        f'  and slo:burn_rate:avg_{window.short}{{slo="{slo.name}"}} > {burn}',
        f"  and sum_over_time({slo.bad_events_series}[{window.long}]) >= {slo.least_bad_events}",
    ]


def _bad_lines(slo: Slo) -> str:
    stages = line_filter(slo, only_bad=True).replace("%", "%%")
    return f'{{event="{slo.event}", service_name=%q, env=%q}} {stages}'


def _panel(slo: Slo, title: str) -> list[str]:
    """A link to a panel of the dashboard of objectives, as a template."""
    panel = f"/d/{UID}?viewPanel={panel_number(UID, title)}&from=now-24h&to=now"
    return [
        f"            {{{{ $externalLabels.grafana_url }}}}{panel}&var-slo={slo.name}&var-service_name={{{{",
        "            $labels.service_name | urlquery }}&var-env={{ $labels.env | urlquery }}",
    ]


def _explore(query: str) -> list[str]:
    """A link to the lines of an hour in Grafana's Explore, as a template."""
    panes = '{"a":{"datasource":"loki","queries":[{"refId":"A","expr":%q}],"range":{"from":"now-1h","to":"now"}}}'
    return [
        "            {{ $externalLabels.grafana_url }}/explore?schemaVersion=1&orgId=1&panes={{",
        f"            printf `{panes}`",
        f"            (printf `{query}`",
        "            $labels.service_name $labels.env) | urlquery }}",
    ]
