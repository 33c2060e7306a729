"""Alerts as rulers and Alertmanager tell them, brought together.

In: alerts of Loki's ruler and of Prometheus, what Alertmanager holds, its silences. Out: KnownAlerts, the most urgent
first. Never: I/O; an alert told twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from logging_pkg.loki_client import Alert

SEVERITIES: Final = ("critical", "warning", "info")
#: Always fires while lines arrive: its silence is the alarm.
PIPELINE_ALIVE: Final = "PipelineAlive"
Identity = tuple[tuple[str, str], ...]
_STATES: Final = ("firing", "pending")
_NOT_HELD: Final = "not in Alertmanager"


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """One alert.

    Attributes:
        state: `firing` or `pending`.
        since: seconds since 1970; None where nobody says.
        value: the expression's, as the ruler writes it; None where only Alertmanager knows the alert.
        source: who evaluates the rule: Loki, Prometheus, or Alertmanager where only it knows the alert.
        delivery: where Alertmanager sends it, or that it has not got it; empty where it was not asked.
        silenced: by whom, until when, and why.
        inhibited: the alerts because of which it is not sent.
        correlation_ids: of lines behind it.
        dashboard: the address of the panel about it.
    """

    name: str
    state: str
    severity: str
    since: float | None
    value: float | None
    labels: Mapping[str, str]
    summary: str
    description: str
    runbook: str
    logs: str
    source: str
    delivery: str = ""
    silenced: tuple[str, ...] = ()
    inhibited: tuple[str, ...] = ()
    correlation_ids: tuple[str, ...] = ()
    dashboard: str = ""

    @property
    def is_breach(self) -> bool:
        """Whether it is critical, fires, and nobody has silenced it."""
        return self.state == "firing" and self.severity == "critical" and not self.silenced


def known_alerts(
    evaluated: Iterable[tuple[str, Sequence[Alert]]],
    held: Sequence[Mapping[str, Any]] | None,
    silences: Sequence[Mapping[str, Any]] = (),
) -> list[KnownAlert]:
    """Firing before pending, critical before warning, old before new.

    Args:
        evaluated: who evaluates, and what is pending or firing there.
        held: what Alertmanager holds, as its version 2 interface gives it; None where it was not asked.
        silences: its silences.
    """
    by_labels = {_identity(item.get("labels") or {}): item for item in held or ()}
    names = {str(item.get("fingerprint")): _name(item.get("labels") or {}) for item in held or ()}
    said = {str(item.get("id")): _silence(item) for item in silences}
    found = []
    seen = set()
    for source, alerts in evaluated:
        for alert in alerts:
            identity = _held_as(alert.labels, by_labels)
            seen.add(identity)
            item = by_labels.get(identity, {})
            missing = _NOT_HELD if held is not None and alert.state == "firing" else ""
            found.append(_known(alert, source, item, names, said, missing))
    for identity, item in by_labels.items():
        if identity not in seen:
            labels, annotations = item.get("labels") or {}, item.get("annotations") or {}
            alert = Alert(labels, annotations, "firing", str(item.get("startsAt") or ""), "")
            found.append(_known(alert, "Alertmanager", item, names, said, ""))
    return sorted(
        found,
        key=lambda alert: (
            _STATES.index(alert.state),
            SEVERITIES.index(alert.severity) if alert.severity in SEVERITIES else len(SEVERITIES),
            alert.since or 0.0,
            alert.name,
        ),
    )


def moment_of(text: str) -> float | None:
    """Seconds since 1970 of an RFC 3339 time; None where it is none, or the year 1, which is Go's for none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.year > 1 else None


def _held_as(labels: Mapping[str, str], held: Collection[Identity]) -> Identity:
    """As what Alertmanager holds an alert: by the same labels, else by those and Prometheus's external labels."""
    identity = _identity(labels)
    if identity in held:
        return identity
    return next((one for one in held if set(identity) <= set(one)), identity)


def _known(
    alert: Alert,
    source: str,
    item: Mapping[str, Any],
    names: Mapping[str, str],
    said: Mapping[str, str],
    missing: str,
) -> KnownAlert:
    annotations = {**alert.annotations, **(item.get("annotations") or {})}
    status = item.get("status") or {}
    receivers = ", ".join(str(receiver.get("name", "")) for receiver in item.get("receivers") or ())
    try:
        value = float(alert.value)
    except ValueError:
        value = None
    return KnownAlert(
        _name(alert.labels),
        alert.state if alert.state in _STATES else "pending",
        alert.labels.get("severity", ""),
        moment_of(alert.active_at),
        value,
        {name: text for name, text in sorted(alert.labels.items()) if name not in {"alertname", "severity"}},
        annotations.get("summary", ""),
        annotations.get("description", ""),
        annotations.get("runbook_url", ""),
        annotations.get("logs_url", ""),
        source,
        receivers if item else missing,
        tuple(said.get(str(one), f"silence {one}") for one in status.get("silencedBy") or ()),
        tuple(sorted({names.get(str(one), str(one)) for one in status.get("inhibitedBy") or ()})),
        tuple(annotations.get("correlation_ids", "").split()),
        annotations.get("dashboard_url", ""),
    )


def _silence(item: Mapping[str, Any]) -> str:
    """`alice until 2026-11-26 01:30 UTC: known, see #12`."""
    end = moment_of(str(item.get("endsAt") or ""))
    until = f" until {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC" if end is not None else ""
    comment = f": {item['comment']}" if item.get("comment") else ""
    return f"{item.get('createdBy') or 'somebody'}{until}{comment}"


def _name(labels: Mapping[str, str]) -> str:
    return labels.get("alertname", "?")


def _identity(labels: Mapping[str, str]) -> Identity:
    return tuple(sorted(labels.items()))
