"""Write every dashboard.

In: a registry, a RuleBook, the texts of runbooks. Out: file names and texts, and what had to be left out.
Never: reads or writes a file; the same input gives the same bytes.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.dashboards.catalogue import CATALOGUE
from logging_pkg.pipeline.dashboards.catalogue.guides import OTHER_METRICS
from logging_pkg.pipeline.dashboards.catalogue.service_levels import service_levels
from logging_pkg.pipeline.dashboards.explore import RUNBOOKS_UID, guide_title
from logging_pkg.pipeline.dashboards.grafana import dashboard_json
from logging_pkg.pipeline.dashboards.model import Dashboard, MetricPanel, Panel, Row
from logging_pkg.pipeline.dashboards.panel_link import panel_number
from logging_pkg.pipeline.dashboards.resolve import resolve
from logging_pkg.pipeline.dashboards.rule_book import RuleBook
from logging_pkg.pipeline.generate import recording_rules, rules_of
from logging_pkg.schemas import Registry

DASHBOARDS_DIRECTORY: Final = "grafana/dashboards"
_NO_LIMIT: Final = "the dashboards know no alert about this metric."
#: Recorded series in PromQL: level:metric:operation.
SERIES: Final = re.compile(r"(?<![\w:/])[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:[a-z][a-z0-9_]*(?![\w:])")


@dataclass(frozen=True, slots=True)
class Dashboards:
    """What was written.

    Attributes:
        files: path within the project -> JSON text.
        left_out: a sentence for each panel whose series nobody records.
    """

    files: Mapping[str, str]
    left_out: tuple[str, ...]


def dashboards(registry: Registry, rules: RuleBook, runbooks: Mapping[str, str]) -> Dashboards:
    """Every dashboard of the catalogue, one of all other metrics, and one of the runbooks.

    Args:
        registry: whose metrics are shown.
        rules: alert rules, and series that rules written by hand record.
        runbooks: Markdown by alert name.

    Raises:
        RuleError: two dashboards or two panels of one have the same name.
    """
    recorded = {*_recorded(registry), *rules.recorded}
    files: dict[str, str] = {}
    left_out: list[str] = []
    questions = (*CATALOGUE, service_levels(rules), *_others(registry))
    for dashboard in (*questions, _runbooks(runbooks, questions)):
        rows = []
        for row in dashboard.rows:
            if row.needs and row.needs not in recorded:
                continue
            panels, missing = _shown(dashboard, row, registry, recorded)
            left_out += missing
            if panels:
                rows.append((row.title, panels))
        if not rows:
            continue
        _require_unique(dashboard, rows)
        path = f"{DASHBOARDS_DIRECTORY}/{dashboard.uid}.json"
        if path in files:
            raise RuleError(f"{path}: two dashboards have the uid {dashboard.uid}; rename one")
        text = json.dumps(dashboard_json(dashboard, rows, rules), indent=2, ensure_ascii=False)
        files[path] = text + "\n"
    return Dashboards(files, tuple(left_out))


def _shown(dashboard: Dashboard, row: Row, registry: Registry, recorded: set[str]) -> tuple[list[Panel], list[str]]:
    """The panels of a row that have something to read, and sentences about the others."""
    panels, left_out = [], []
    for entry in row.panels:
        try:
            panel = (
                resolve(entry, registry, [variable.name for variable in dashboard.variables])
                if isinstance(entry, MetricPanel)
                else entry
            )
        except RuleError as error:
            left_out.append(f'{dashboard.title}, "{_name(entry)}": {error}')
            continue
        asked = [query.expr for query in panel.queries if (query.source or panel.source) == "prometheus"]
        unknown = sorted({name for expr in asked for name in SERIES.findall(expr)} - recorded)
        if unknown:
            left_out.append(f'{dashboard.title}, "{panel.title}": no rule records {", ".join(unknown)}')
        else:
            panels.append(panel)
    return panels, left_out


def _name(entry: Panel | MetricPanel) -> str:
    return entry.title or (entry.metric if isinstance(entry, MetricPanel) else "")


def _recorded(registry: Registry) -> set[str]:
    document = yaml.safe_load(recording_rules(registry)) or {}
    return {rule["record"] for group in document.get("groups") or [] for rule in group["rules"]}


def _others(registry: Registry) -> Iterator[Dashboard]:
    """Every metric that no panel of the catalogue reads: a new one is on a dashboard without anybody's doing."""
    entries = [entry for dashboard in CATALOGUE for row in dashboard.rows for entry in row.panels]
    named = {(entry.event, entry.metric) for entry in entries if isinstance(entry, MetricPanel)}
    queries = [query.expr for entry in entries if isinstance(entry, Panel) for query in entry.queries]
    read = {name for expr in queries for name in SERIES.findall(expr)}
    rows = []
    for name, event in sorted(registry.events.items()):
        others = [
            MetricPanel(name, metric.name, no_limit=_NO_LIMIT)
            for metric in event.metrics
            if (name, metric.name) not in named and not {rule.record for rule in rules_of(event, metric)} & read
        ]
        if others:
            rows.append(Row(name, tuple(others)))
    if rows:
        yield Dashboard(
            uid="metrics",
            title="Other metrics",
            description="Metrics of the schemas (x-metrics) that no other dashboard shows, by event.",
            rows=tuple(rows),
            guide=OTHER_METRICS,
        )


def _runbooks(runbooks: Mapping[str, str], others: Iterable[Dashboard]) -> Dashboard:
    """The runbook of each alert, and how to read each dashboard: where its panels lead."""
    alerts = [
        Panel(
            title=name,
            description=f"What to do when {name} fires; docs/runbooks/{name}.md.",
            kind="text",
            content=_without_title(text),
        )
        for name, text in sorted(runbooks.items())
    ]
    guides = [
        Panel(
            title=guide_title(dashboard.title),
            description=f"Which panel of {dashboard.title} to look at first, what is usual, what to do.",
            kind="text",
            content=dashboard.guide,
        )
        for dashboard in others
    ]
    return Dashboard(
        uid=RUNBOOKS_UID,
        title="Runbooks",
        description="What each alert means, whom it hurts, what to do about it; how to read each dashboard.",
        rows=(Row("", tuple(alerts)), Row("Dashboards", tuple(guides))),
        has_services=False,
        is_live=False,
    )


def _without_title(text: str) -> str:
    """A panel has a title of its own; a dollar would be taken for a variable of the dashboard."""
    first, _, rest = text.partition("\n")
    return (rest.lstrip("\n") if first.startswith("# ") else text).replace("${", "$ {")


def _require_unique(dashboard: Dashboard, rows: Iterable[tuple[str, Sequence[Panel]]]) -> None:
    by_number: dict[int, list[str]] = defaultdict(list)
    for panel in (panel for _title, of_row in rows for panel in of_row):
        by_number[panel_number(dashboard.uid, panel.title)].append(panel.title)
    twice = sorted(title for titles in by_number.values() if len(titles) > 1 for title in titles)
    if twice:
        raise RuleError(
            f"dashboard {dashboard.uid}: panels of the same title, or of titles with the same id: {twice}; rename one"
        )
