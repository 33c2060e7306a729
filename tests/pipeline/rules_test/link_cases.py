"""What each alert's link to the logs has to find, and what it must not.

In: the alerts' own tests. Out: a case per alert: its labels, its query, lines that are its reason and lines that are not.
Never: a link that was not rendered, by Loki's ruler or by promtool.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from logging_pkg.pipeline.logql import parse
from logging_pkg.pipeline.logql.ast import LogQuery
from logging_pkg.pipeline.rules_test.inputs import ANY_TIMESTAMP, DEFAULTS, IDENTITY
from logging_pkg.pipeline.rules_test.model import EventLine
from logging_pkg.pipeline.rules_test.sample import plain_event
from logging_pkg.schemas.pattern_text import text_matching
from tests.pipeline.alert_links import linked
from tests.pipeline.rules_test.files import REGISTRY

S = 1_000_000_000
#: correlation_id of lines that are the reason of no alert.
HEALTHY, ELSEWHERE = "f" * 32, "e" * 32

#: Fields that make a plain event a good one, where plain (0, null, the first of an enum) is not that.
GOOD: dict[str, dict[str, Any]] = {
    "health.check_finished": {"outcome": "up", "is_up": 1},
    "sync.run_finished": {"outcome": "ok", "is_success": 1},
    "calendar.connection_checked": {"status": "healthy", "is_healthy": 1},
}
#: More good ones: at the limit, or bad for another alert.
INNOCENT: dict[str, list[dict[str, Any]]] = {
    "SlowRoute": [{"response_time_ms": 1000.0}],
    "GoogleApiSlow": [{"duration_ms": 2000.0}],
    "GoogleApiErrors": [{"is_error": 1, "is_rate_limited": 1}],
    "CertificateExpires": [{"tls_expires_in_days": 14.0}],
    "ManyQueriesPerRequest": [{"query_count": 5}],
    "KeyRoutesLatencySloPage": [
        {"route": "/dashboard/", "response_time_ms": 500.0},
        {"route": "/help/", "response_time_ms": 9000.0},
    ],
    "GoogleApiSloPage": [{"is_error": 1, "is_rate_limited": 1}],
}
#: What Prometheus's alerts fire for: their own tests have series, no lines.
TROUBLE: dict[str, dict[str, Any]] = {
    "ManyQueriesPerRequest": {"query_count": 6},
    "KeyRoutesLatencySloPage": {"route": "/dashboard/", "response_time_ms": 501.0},
    "RequestErrorsSloPage": {"is_error": 1},
    "SyncSuccessSloPage": {"outcome": "failed", "is_success": 0},
    "GoogleApiSloPage": {"is_error": 1},
    "RouteErrorsRegressed": {"is_error": 1},
}
for _name in [name for name in TROUBLE if name.endswith("Page")]:
    TROUBLE[_name.replace("Page", "Ticket")] = TROUBLE[_name]
    INNOCENT[_name.replace("Page", "Ticket")] = INNOCENT.get(_name, [])


@dataclass(frozen=True)
class Case:
    """An alert that fires, and the query behind its link."""

    name: str
    labels: Mapping[str, str]
    query: str
    reasons: tuple[EventLine, ...]
    at_ns: int

    @property
    def lines(self) -> list[EventLine]:
        """Its reasons, and among them good lines of the same labels, and the same reasons elsewhere."""
        return [*self.reasons, *self._good(), *self._elsewhere()]

    def _good(self) -> Iterator[EventLine]:
        first = self.reasons[0].fields
        base = {name: first[name] for name in ("service_name", "env")} | dict(self.labels)
        for event in events_of(self.query):
            of_event = {name: value for name, value in base.items() if name in declared(event)}
            for fields in ({}, *INNOCENT.get(self.name, ())):
                if set(fields) <= declared(event):
                    made = of_event | GOOD.get(event, {}) | fields
                    yield EventLine(self.at_ns, plain(event, correlation_id=HEALTHY, **made))

    def _elsewhere(self) -> Iterator[EventLine]:
        """Of another route, project, service …: each label changed by itself."""
        for label, value in self.labels.items():
            for line in self.reasons:
                if line.fields.get(label) == value:
                    changed = {label: another(str(line.fields["event"]), label, value), "correlation_id": ELSEWHERE}
                    yield EventLine(line.at_ns, {**line.fields, **changed})


def declared(event: str) -> set[str]:
    """The fields of an event's line."""
    return set(REGISTRY.line_schema(event)["properties"])


def events_of(query: str) -> list[str]:
    """The events a query asks for, by its selector."""
    expression = parse(query)
    assert isinstance(expression, LogQuery)
    (events,) = (matcher.value.text for matcher in expression.selector.matchers if matcher.name.text == "event")
    return events.split("|")


def another(event: str, name: str, value: str) -> str:
    """Another value that a field may have."""
    field = REGISTRY.line_schema(event)["properties"][name]
    if "enum" in field:
        return next(str(one) for one in field["enum"] if one not in {value, None})
    return text_matching(field["pattern"], random.Random(name)) if "pattern" in field else f"{value}-other"


def plain(event: str, **fields: Any) -> dict[str, Any]:
    """A valid event, as plain as its schema allows but for these fields."""
    version = REGISTRY.events[event].version
    base = {**DEFAULTS, "event": event, "schema_version": version, "timestamp": ANY_TIMESTAMP, **IDENTITY}
    made = {**base, **plain_event(REGISTRY.line_schema(event), {*base, *fields}), **fields}
    assert REGISTRY.problems(made) == []
    return made


def prometheus_cases(paths: Iterable[Path]) -> Iterator[Case]:
    """A case per alert of Prometheus: promtool says what its annotations are."""
    seen: set[str] = set()
    for path in paths:
        groups = yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
        for check in (check for group in groups for check in group.get("alert_rule_test", ())):
            name = check["alertname"]
            if not check["exp_alerts"] or name in seen:
                continue
            seen.add(name)
            alert = check["exp_alerts"][0]
            query = linked(alert["exp_annotations"]["logs_url"])
            labels = {label: text for label, text in alert["exp_labels"].items() if label not in {"severity", "slo"}}
            (event,) = events_of(query)
            fields = plain(event, **labels, **TROUBLE.get(name, {}))
            yield Case(name, labels, query, (EventLine(0, fields),), 60 * S)
