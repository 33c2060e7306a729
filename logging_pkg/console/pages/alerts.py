"""Alerts: what is pending or firing, where it was delivered, and every rule.

In: a Desk. Out: Sections. Never: a silence; that is Alertmanager's page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from logging_pkg.console.desk import Desk
from logging_pkg.console.explore import Language
from logging_pkg.console.numbers import ago, duration
from logging_pkg.console.panels import Panel, Section, Tile
from logging_pkg.loki_client import Alert, Rule

_SEVERITIES = ("critical", "warning", "info")
_STATES = ("firing", "pending", "inactive")


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert as it is shown; links only where they are addresses."""

    name: str
    state: str
    severity: str
    since: str
    summary: str
    description: str
    labels: tuple[tuple[str, str], ...]
    runbook: str
    runbook_link: str
    logs_link: str
    delivered: str


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
        delivered = deliveries.answer
        held = {_identity(item["labels"]): _delivery(item) for item in delivered.value or () if "labels" in item}
        without = "not there" if delivered.state == "ready" else "unknown"
        found: list[Alert] = [alert for question in asked for alert in question.answer.value or ()]
        shown = [_shown(alert, held.get(_identity(alert.labels), without)) for alert in found]
        return sorted(shown, key=lambda alert: (_STATES.index(alert.state), _rank(alert.severity), alert.name))


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


def _shown(alert: Alert, delivered: str) -> ShownAlert:
    runbook, logs = (alert.annotations.get(name, "") for name in ("runbook_url", "logs_url"))
    kept = tuple(sorted(item for item in alert.labels.items() if item[0] not in {"alertname", "severity"}))
    return ShownAlert(
        alert.labels.get("alertname", "?"),
        alert.state if alert.state in _STATES else "pending",
        alert.labels.get("severity", ""),
        ago(alert.active_at),
        alert.annotations.get("summary", ""),
        alert.annotations.get("description", ""),
        kept,
        runbook,
        _web_address(runbook),
        _web_address(logs),
        delivered,
    )


def _web_address(text: str) -> str:
    """An annotation as a link; nothing where it is a path, or an address a browser would run."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.netloc else ""


def _delivery(item: Mapping[str, Any]) -> str:
    receivers = ", ".join(str(receiver.get("name", "")) for receiver in item.get("receivers") or ())
    state = (item.get("status") or {}).get("state", "")
    return f"{state} → {receivers}" if receivers else str(state)


def _identity(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


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


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _state_rank(state: str) -> int:
    return _STATES.index(state) if state in _STATES else len(_STATES)
