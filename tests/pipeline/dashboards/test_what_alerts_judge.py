"""The panel that an alert opens draws what the alert judges: the same recorded series, or the same fields of the same events."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from logging_pkg.pipeline.dashboards.build import SERIES
from logging_pkg.pipeline.dashboards.panel_link import panel_link
from logging_pkg.pipeline.dashboards.panels_of import filled_in
from logging_pkg.pipeline.logql import LogQLError, ast, parse
from logging_pkg.pipeline.reads import log_reads
from tests.pipeline.dashboards.documents import DOCUMENTS, panels, rules, sources
from tests.pipeline.events import REGISTRY

ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
RECORDED = sources()
_LEAST = "a least number, without which a single one would be an alert; it is not what is judged"
_PAIRS = "each pair of windows has a limit of its own, and so a panel of its own beside this one"
#: What of an alert's expression its panel need not draw, and why: names of alerts, what is read, the reason.
EXCEPTIONS = (
    ("AppDown", "process.sampled uptime_s", "leaves out processes that never lived; heartbeats are judged"),
    ("SyncFailing", "sync.run_finished outcome", _LEAST),
    ("ManyQueriesPerRequest", "route:http_requests:rate_5m", _LEAST),
    (r"\w+Slo(Page|Ticket)", r"slo:\w+_bad_events:count_1m", _LEAST),
    (r"\w+SloPage", "slo:burn_rate:avg_(6h|30m)", _PAIRS),
    (r"\w+SloTicket", "slo:burn_rate:avg_(3d|6h)", _PAIRS),
)


def _in_lines(query: ast.Expression, *, is_judged: bool) -> Iterator[str]:
    """`event field` for each field a query computes with or compares, `event` for each event it reads.

    Args:
        query: LogQL.
        is_judged: whether a field that is only taken out of the line, or only has to be there, is left out.
    """
    for read in log_reads(query, REGISTRY):
        yield from read.events
        for one in read.fields:
            is_presence = one.op == "!=" and one.value == ""
            if (one.role in {"unwrapped", "filtered"} and not is_presence) or (
                one.role == "extracted" and not is_judged
            ):
                yield from (f"{event} {one.field}" for event in read.events)


def _judged(expr: str) -> set[str]:
    """What an alert's expression judges."""
    try:
        return set(_in_lines(parse(expr), is_judged=True))
    except LogQLError:
        return set(SERIES.findall(expr))


def _drawn(expr: str) -> set[str]:
    """What a panel's query draws: recorded series, and the fields that they are recorded from."""
    found: set[str] = set()
    waiting = [filled_in(expr, defaultdict(lambda: "1m"))]
    series = set(SERIES.findall(expr))
    while waiting:
        text = waiting.pop()
        try:
            found |= set(_in_lines(parse(text), is_judged=False))
        except LogQLError:
            waiting += [one for name in SERIES.findall(text) for one in RECORDED.get(name, ())]
    return found | series


def _missing(rule: dict[str, Any], panel: dict[str, Any]) -> set[str]:
    """What an alert judges and a panel does not draw."""
    return _judged(str(rule["expr"])).difference(*(_drawn(target["expr"]) for target in panel["targets"]))


def _panel(uid: str, number: int) -> dict[str, Any]:
    (found,) = (panel for panel in panels(DOCUMENTS[uid]) if panel["id"] == number)
    return found


@pytest.mark.parametrize("name", ALERTS)
def test_the_panel_an_alert_opens_draws_what_it_judges(name: str) -> None:
    """Who opens the link sees the number that is over the limit, and of a comparison both sides."""
    link = panel_link(ALERTS[name]["annotations"]["dashboard_url"])
    assert link is not None
    assert link.number is not None
    panel = _panel(link.uid, link.number)
    missing = _missing(ALERTS[name], panel)
    excused = {
        read for read in missing for names, reads, _ in EXCEPTIONS
        if re.fullmatch(names, name) and re.fullmatch(reads, read)
    }  # fmt: skip
    assert missing - excused == set(), f"{name} opens {panel['title']!r} of {link.uid}"


def test_every_exception_is_needed() -> None:
    """An exception that excuses nothing would excuse the next mistake."""
    for names, reads, reason in EXCEPTIONS:
        of_alerts = [rule for name, rule in ALERTS.items() if re.fullmatch(names, name)]
        links = [panel_link(rule["annotations"]["dashboard_url"]) for rule in of_alerts]
        missing = [
            _missing(rule, _panel(link.uid, link.number))
            for rule, link in zip(of_alerts, links, strict=True)
            if link and link.number is not None
        ]
        assert missing, names
        assert all(any(re.fullmatch(reads, read) for read in found) for found in missing), (names, reads)
        assert len(reason) > 20


@pytest.mark.parametrize(
    ("alert", "title", "missing"),
    [
        ("CertificateExpires", "Health check up, by check", {"health.check_finished tls_expires_in_days"}),
        ("AccountRevoked", "Calendar connections checked per second, by status",
         {"calendar.connection_checked is_revoked"}),
        ("RouteCacheHitRatioDropped", "Hit rate, by route",
         {f"route:http_cache_hit_ratio:{part}" for part in ("baseline_1h", "noise_1w", "quartile_45m")}),
        ("SlowRoute", "HTTP response time, p95, by route", set()),
        ("SlowRoute", "Routes now", set()),
    ],
)  # fmt: skip
def test_a_panel_about_something_else_is_found(alert: str, title: str, missing: set[str]) -> None:
    """What these alerts linked to before they had panels of their own; and what is drawn by way of recorded series."""
    every = [panel for document in DOCUMENTS.values() for panel in panels(document) if panel["title"] == title]
    assert {frozenset(_missing(ALERTS[alert], panel)) for panel in every} == {frozenset(missing)}
