"""Alerts: what is pending or firing, where it was delivered, and every rule.

In: a Desk. Out: Sections. Never: a silence; that is Alertmanager's page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from logging_pkg.console.desk import Desk
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
    """What is pending or firing in the ruler, and whether Alertmanager has it."""

    kind: ClassVar[str] = "alerts"

    @property
    def is_ready(self) -> bool:
        """The ruler's answer is enough."""
        return self.questions[0].answer.state == "ready"

    @property
    def problem(self) -> str:
        """Only the ruler's: what Alertmanager says is told in a column."""
        return self.questions[0].answer.problem

    @property
    def alerts(self) -> list[ShownAlert]:
        """Firing before pending, critical before warning, old before new."""
        delivered = self.questions[1].answer
        held = {_identity(item["labels"]): _delivery(item) for item in delivered.value or () if "labels" in item}
        without = "not there" if delivered.state == "ready" else "unknown"
        found: list[Alert] = self.questions[0].answer.value
        shown = [_shown(alert, held.get(_identity(alert.labels), without)) for alert in found]
        return sorted(shown, key=lambda alert: (_STATES.index(alert.state), _rank(alert.severity), alert.name))


@dataclass(frozen=True, slots=True)
class ShownRule:
    """An alerting rule as it is shown."""

    rule: Rule
    pending_for: str
    summary: str


@dataclass(frozen=True, slots=True)
class RulesPanel(Panel):
    """Every alerting rule, with its LogQL."""

    kind: ClassVar[str] = "rules"

    @property
    def rules(self) -> list[ShownRule]:
        """Those that have something to say first."""
        found = [rule for rule in self.questions[0].answer.value if rule.kind == "alerting"]
        order = sorted(found, key=lambda rule: (rule.health == "ok", _state_rank(rule.state), rule.name))
        return [
            ShownRule(rule, duration(rule.for_s * 1000) if rule.for_s else "at once", _untemplated(rule.annotations))
            for rule in order
        ]


def alerts(desk: Desk) -> Sequence[Section]:
    """Those that fire first."""
    firing = desk.alerts()
    rules = desk.rules()
    return (
        Section(
            (
                Tile("Firing", (firing,), limit=0, target="none", read=lambda found: _count(found, "firing")),
                Tile("Pending", (firing,), note="not long enough yet", read=lambda found: _count(found, "pending")),
                Tile("Alert rules", (rules,), read=lambda found: float(sum(rule.kind == "alerting" for rule in found))),
                Tile(
                    "Rules that fail",
                    (rules,),
                    limit=0,
                    target="none",
                    read=lambda found: float(sum(rule.health == "err" for rule in found)),
                ),
            ),
            "tiles",
        ),
        Section((AlertsPanel("Now", (firing, desk.deliveries())),)),
        Section((RulesPanel("Rules", (rules,), "f(x) shows a rule's LogQL."),)),
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


def _count(found: list[Alert], state: str) -> float:
    return float(sum(alert.state == state for alert in found))


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _state_rank(state: str) -> int:
    return _STATES.index(state) if state in _STATES else len(_STATES)


def _untemplated(annotations: Mapping[str, str]) -> str:
    """A rule's description as written; what is between braces is filled in when it fires."""
    return " ".join(annotations.get("summary", "").split())
