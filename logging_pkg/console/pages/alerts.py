"""Alerts: what is pending or firing, where it was delivered, and every rule.

In: a Desk. Out: Sections. Never: a silence; that is Alertmanager's page.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from django.urls import reverse

from logging_pkg import conf
from logging_pkg.analysis.alerts import KnownAlert, known_alerts
from logging_pkg.console.alert_links import grafana_link, search_link, web_address
from logging_pkg.console.desk import Desk
from logging_pkg.console.errors import trace_url
from logging_pkg.console.explore import Language
from logging_pkg.console.numbers import duration, lasting
from logging_pkg.console.panels import Panel, Section, Tile
from logging_pkg.console.search import is_id
from logging_pkg.loki_client import Alert, Rule

_STATES = ("firing", "pending", "inactive")


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert as it is shown.

    Attributes:
        alert: what is known of it.
        since: when it began to be pending, RFC 3339; empty where nobody says.
        lasting: how long ago that is.
        search: the console's own search for its lines.
        logs, dashboard: pages of Grafana; empty without one.
        runbook: where its text is.
        traces: correlation IDs of lines behind it, and where their waterfalls are.
    """

    alert: KnownAlert
    since: str
    lasting: str
    value: str
    delivered: str
    search: str
    logs: str
    dashboard: str
    runbook: str
    traces: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AlertsPanel(Panel):
    """What is pending or firing in Loki's ruler and in Prometheus, and whether Alertmanager has it."""

    kind: ClassVar[str] = "alerts"

    @property
    def is_ready(self) -> bool:
        """One of both is enough: the top of the page says which of them is missing."""
        return any(question.answer.state == "ready" for question in self.questions[:2])

    @property
    def problem(self) -> str:
        """Where neither answers: what Alertmanager says is told with each alert."""
        problems = [question.answer.problem for question in self.questions[:2]]
        return problems[0] if all(problems) else ""

    @property
    def alerts(self) -> list[ShownAlert]:
        """Firing before pending, critical before warning, old before new."""
        *asked, deliveries = self.questions
        evaluated = [(question.server, question.answer.value or ()) for question in asked]
        told = deliveries.answer
        held = [item for item in told.value or () if isinstance(item, dict)] if told.state == "ready" else None
        return [_shown(alert) for alert in known_alerts(evaluated, held)]

    @property
    def has_grafana(self) -> bool:
        """Whether there is a Grafana to lead to."""
        return bool(conf.settings().explore_url)


@dataclass(frozen=True, slots=True)
class ShownRule:
    """An alerting rule as it is shown."""

    rule: Rule
    pending_for: str
    server: str

    @property
    def language(self) -> Language:
        """Of its expression."""
        return "LogQL" if self.server == "Loki" else "PromQL"


@dataclass(frozen=True, slots=True)
class RulesPanel(Panel):
    """Every alerting rule, with its LogQL."""

    kind: ClassVar[str] = "rules"

    @property
    def is_ready(self) -> bool:
        """One of both is enough."""
        return any(question.answer.state == "ready" for question in self.questions)

    @property
    def problem(self) -> str:
        """Where neither answers."""
        problems = [question.answer.problem for question in self.questions]
        return problems[0] if all(problems) else ""

    @property
    def rules(self) -> list[ShownRule]:
        """Those that have something to say first."""
        answers = [(question, question.answer.value or ()) for question in self.questions]
        found = [(question.server, rule) for question, rules in answers for rule in rules if rule.kind == "alerting"]
        order = sorted(found, key=lambda item: (item[1].health == "ok", _state_rank(item[1].state), item[1].name))
        return [
            ShownRule(rule, duration(rule.for_s * 1000) if rule.for_s else "at once", server) for server, rule in order
        ]


def alerts(desk: Desk) -> Sequence[Section]:
    """Those that fire first."""
    now = (desk.alerts(), desk.prometheus_alerts())
    rules = (desk.rules(), desk.prometheus_rules())
    return (
        Section(
            (
                Tile("Firing", now, limit=0, target="none", read=firing),
                Tile("Pending", now, note="not long enough yet", read=pending),
                Tile("Alert rules", rules, read=_alert_rules),
                Tile(
                    "Rules that fail",
                    rules,
                    limit=0,
                    target="none",
                    read=failing,
                ),
            ),
            "tiles",
        ),
        Section((AlertsPanel("Now", (*now, desk.deliveries())),)),
        Section((RulesPanel("Rules", rules, "f(x) shows a rule's LogQL or PromQL."),)),
    )


def _shown(alert: KnownAlert) -> ShownAlert:
    since = "" if alert.since is None else datetime.fromtimestamp(alert.since, UTC).isoformat(timespec="seconds")
    length = "" if alert.since is None else lasting(time.time() - alert.since)
    traces = tuple((some_id, trace_url(some_id)) for some_id in alert.correlation_ids if is_id(some_id))
    return ShownAlert(
        alert,
        since,
        length,
        "" if alert.value is None else f"{alert.value:,.4g}",
        alert.delivery or "unknown",
        search_link(alert.logs),
        grafana_link(alert.logs),
        grafana_link(alert.dashboard),
        web_address(alert.runbook)
        or (reverse("logging_pkg_console:runbook", args=[alert.name]) if alert.runbook else ""),
        traces,
    )


def firing(*found: list[Alert]) -> float:
    """How many alerts fire, of Loki's and of Prometheus's."""
    return float(sum(alert.state == "firing" for alerts in found for alert in alerts))


def pending(*found: list[Alert]) -> float:
    """How many are pending."""
    return float(sum(alert.state == "pending" for alerts in found for alert in alerts))


def failing(*found: list[Rule]) -> float:
    """How many rules failed when they were last evaluated."""
    return float(sum(rule.health == "err" for rules in found for rule in rules))


def _alert_rules(*found: list[Rule]) -> float:
    return float(sum(rule.kind == "alerting" for rules in found for rule in rules))


def _state_rank(state: str) -> int:
    return _STATES.index(state) if state in _STATES else len(_STATES)
