"""Each alert's condition holds just over its limit and not just under it, in a real Loki; its links lead to the lines."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml

from tests.pipeline.events import ENV, line, push

if TYPE_CHECKING:
    from logging_pkg.loki_client import Alert, LokiClient
    from logging_pkg.stack import Stack

PROJECT = Path(__file__).parents[2]
RULES = PROJECT / "loki/rules"
GROUPS = [group for path in sorted(RULES.glob("*alerts.yaml")) for group in yaml.safe_load(path.read_text())["groups"]]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
S = 1_000_000_000
_NAMES = itertools.count(1)

Line = tuple[str, float, dict[str, Any]]


def requests_(count: int, age: float = 100, **fields: Any) -> list[Line]:
    return [("http.request_finished", age, {"route": "/slow/", "is_error": 0, **fields})] * count


#: Quotas the test's events tell: 600 a minute, 200 for a user, 1,000,000 a day of which 10 hours are left.
QUOTAS = {
    "quota_minute_limit": 600,
    "quota_user_minute_limit": 200,
    "quota_day_limit": 1_000_000,
    "quota_day_left_s": 36_000.0,
}


def calls(units: int, age: float = 60, **fields: Any) -> list[Line]:
    made = {"quota_units": units, "is_rate_limited": 0, "is_error": 0, "duration_ms": 10.0, **QUOTAS, **fields}
    return [("google_api.call_finished", age, made)]


def schedule(*late: int) -> list[Line]:
    """The latest first."""
    return [("sync.schedule_checked", 60 + 30 * n, {"late_count": count}) for n, count in enumerate(late)]


def connection(account: str, status: str, age: float = 60) -> list[Line]:
    fields = {"account_hash": account, "status": status, "is_revoked": int(status == "revoked")}
    return [("calendar.connection_checked", age, fields)]


def syncs(count: int, outcome: str) -> list[Line]:
    fields = {"resource": "events", "outcome": outcome, "is_success": int(outcome == "ok")}
    return [("sync.run_finished", 600, fields)] * count


def heartbeat(age: float, uptime_s: float = 100, failed_count: int = 0) -> list[Line]:
    return [("process.sampled", age, {"uptime_s": uptime_s, "failed_count": failed_count})]


def shipper(*lags: float, dead_letters: int = 0) -> list[Line]:
    fields = {"shipper": "embedded", "dead_letter_count": dead_letters}
    return [("shipper.status_reported", 40 + 50 * n, {**fields, "lag_s": lag}) for n, lag in enumerate(lags)]


#: Alert, what is in the store, and the value the alert has; None where it must stay silent.
CASES: list[tuple[str, list[Line], float | None]] = [
    ("SlowRoute", requests_(5, response_time_ms=1001), 1001),
    ("SlowRoute", requests_(5, response_time_ms=1000), None),
    ("SlowRoute", requests_(4, response_time_ms=5000), None),
    ("SlowRoute", requests_(5, age=20, response_time_ms=5000), None),
    ("SlowRoute", requests_(5, response_time_ms=5000, route="/other/") + requests_(96, response_time_ms=10), 5000),
    ("HighErrorRate", requests_(5, is_error=1) + requests_(494), 5 / 499),
    ("HighErrorRate", requests_(5, is_error=1) + requests_(495), None),
    ("HighErrorRate", requests_(4, is_error=1) + requests_(1), None),
    ("GoogleQuotaMinute80", calls(480), 0.8),
    ("GoogleQuotaMinute80", calls(479), None),
    ("GoogleQuotaMinute80", calls(479) + calls(100, age=95), None),
    ("GoogleQuotaMinute80", calls(480, quota_minute_limit=601), None),
    ("GoogleQuotaMinute95", calls(570), 0.95),
    ("GoogleQuotaMinute95", calls(569), None),
    ("GoogleUserQuotaMinute80", calls(160, account_hash="a") + calls(159, account_hash="b"), 0.8),
    ("GoogleUserQuotaMinute80", calls(159, account_hash="a") + calls(159, account_hash="b"), None),
    ("GoogleUserQuotaMinute80", [c for n in range(600) for c in calls(1, account_hash=f"a{n}")], None),
    ("GoogleRateLimited", calls(1, age=300, is_rate_limited=1), 1),
    ("GoogleRateLimited", calls(1), None),
    ("GoogleQuotaDay80", calls(799_999, age=80_000) + calls(1), 0.8),
    ("GoogleQuotaDay80", calls(799_998, age=80_000) + calls(1), None),
    ("GoogleQuotaDay80", calls(900_000, age=80_000) + calls(1, quota_day="2031-01-01"), None),
    ("GoogleQuotaDay95", calls(949_999, age=80_000) + calls(1), 0.95),
    ("GoogleQuotaDay95", calls(949_998, age=80_000) + calls(1), None),
    # 450,000 used, 55,000 of them in the last hour, and ten hours to go: 1,000,000.
    ("GoogleQuotaDayRunsOut", calls(395_000, age=80_000) + calls(55_000), 1.0),
    ("GoogleQuotaDayRunsOut", calls(394_989, age=80_000) + calls(55_000), None),
    ("GoogleQuotaDayRunsOut", calls(395_000, age=80_000) + calls(55_000, quota_day_left_s=35_999.0), None),
    ("GoogleQuotaDayRunsOut", calls(99_999), None),
    ("GoogleApiSlow", calls(1, duration_ms=2000.1) * 10, 2000.1),
    ("GoogleApiSlow", calls(1, duration_ms=2000.0) * 10, None),
    ("GoogleApiSlow", calls(1, duration_ms=9000.0) * 9, None),
    ("GoogleApiErrors", calls(1, is_error=1) * 5 + calls(1) * 94, 5 / 99),
    ("GoogleApiErrors", calls(1, is_error=1) * 5 + calls(1) * 95, None),
    ("GoogleApiErrors", calls(1, is_error=1) * 4, None),
    ("GoogleApiErrors", calls(1, is_error=1, is_rate_limited=1) * 9 + calls(1), None),
    ("CalendarSyncLate", schedule(1, 0), 1),
    ("CalendarSyncLate", schedule(0, 5), None),
    ("AccountRevoked", connection("a", "revoked") + connection("a", "revoked", 90) + connection("b", "revoked"), 2),
    ("AccountRevoked", connection("a", "degraded") + connection("b", "revoked", age=1000), None),
    ("AppDown", heartbeat(age=95, uptime_s=30), 30),
    ("AppDown", heartbeat(age=3600), 100),
    ("AppDown", heartbeat(age=95) + heartbeat(age=85), None),
    ("AppDown", heartbeat(age=95, uptime_s=29), None),
    ("AppDown", heartbeat(age=3700), None),
    ("SyncFailing", syncs(3, "failed") + syncs(26, "ok"), 26 / 29),
    ("SyncFailing", syncs(3, "failed") + syncs(27, "ok"), None),
    ("SyncFailing", syncs(2, "failed") + syncs(2, "ok"), None),
    ("ShipperBehind", shipper(31, 400), 31),
    ("ShipperBehind", shipper(30, 400), None),
    ("EventsRejected", [("logging.event_rejected", 60, {"rejected_event": "http.request_finished"})], 1),
    ("EventsRejected", requests_(1), None),
    ("EventsDeadLettered", shipper(0, 0, dead_letters=2), 4),
    ("EventsDeadLettered", shipper(0), None),
    ("EventsLost", [("logging.file_deleted", 800, {"lost_event_count": 7})], 7),
    ("EventsLost", heartbeat(age=60, failed_count=2), 2),
    ("EventsLost", [*heartbeat(age=60), ("logging.file_deleted", 800, {"lost_event_count": 0})], None),
]


@pytest.fixture
def store(loki: LokiClient) -> Callable[[list[Line]], tuple[str, int]]:
    """Store lines under a service and a Google project of their own; return its name and the time of evaluation."""

    def push_all(lines: list[Line]) -> tuple[str, int]:
        name, now_ns = f"alerts-{next(_NAMES)}", time.time_ns() // 1000 * 1000
        made = []
        for number, (event, age, fields) in enumerate(lines):
            own = {"project": name} if event.startswith("google_api") else {}
            made.append(line(event, name, now_ns - int(age * S) - number * 1000, **own, **fields))
        push(loki, made)
        return name, now_ns

    return push_all


@pytest.mark.parametrize(("alert", "lines", "value"), CASES)
def test_a_condition_holds_over_its_limit_and_not_under(
    alert: str, lines: list[Line], value: float | None, store: Callable[[list[Line]], tuple[str, int]], loki: LokiClient
) -> None:
    """One series with the value that the text of the alert shows, or none."""
    name, now_ns = store(lines)
    samples = loki.query(ALERTS[alert]["expr"], now_ns).samples
    own = [sample for sample in samples if name in (sample.labels.get("service_name"), sample.labels.get("project"))]
    assert [sample.value for sample in own] == ([] if value is None else [pytest.approx(value)])


def test_every_alert_is_tested_both_ways() -> None:
    """A new alert needs a case that fires and one that does not."""
    assert {alert for alert, _, value in CASES if value is not None} == set(ALERTS)
    assert {alert for alert, _, value in CASES if value is None} == set(ALERTS)


def test_every_alert_is_due_within_three_minutes() -> None:
    """Offset, interval and `for` together; critical ones leave the time to deliver them within 5 minutes of the cause."""
    for group in GROUPS:
        interval_s = {"15s": 15, "30s": 30, "2m": 120}[group["interval"]]
        for rule in group["rules"]:
            for_s = {"1m": 60, None: 0}[rule.get("for")]
            assert 30 + interval_s + for_s + (60 if rule["alert"] == "AppDown" else 0) <= 180, rule["alert"]


def test_no_alert_can_be_over_before_its_first_message() -> None:
    """Alertmanager waits group_wait before the first message and forgets what resolved meanwhile."""
    intervals = [group["interval"] for group in GROUPS]
    text = (PROJECT / "loki/alertmanager.yml").read_text()
    waits = [int(seconds) for seconds in re.findall(r"(?m)^ +group_wait: (\d+)s", text)]
    assert len(waits) == text.count("group_wait:")
    assert max(waits) < min(int(interval[:-1]) for interval in intervals if interval.endswith("s"))


@pytest.fixture(scope="module")
def ruler(tmp_path_factory: pytest.TempPathFactory, stack_binaries: object) -> Iterator[Stack]:
    """Loki and Prometheus with the committed rules; only the intervals are shorter, so that a test need not wait."""
    from logging_pkg.stack import Stack

    rules = tmp_path_factory.mktemp("rules")
    for path in RULES.iterdir():
        shutil.copy(path, rules)
        text = re.sub(r"(?m)^    interval: \w+$", "    interval: 2s", path.read_text())
        (rules / path.name).write_text(text)
    with Stack(servers=("prometheus", "loki"), rules_directory=rules) as stack:
        yield stack


def eventually(condition: Callable[[], Any], timeout_s: float = 60) -> Any:
    """Poll until the condition is truthy; return it."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "not within the time allowed"
        time.sleep(0.1)
    return found


def test_the_ruler_loads_evaluates_alerts_and_records(ruler: Stack) -> None:
    """Every rule is healthy; alerts fire with links that find their lines; a recorded series reaches Prometheus."""
    from logging_pkg.loki_client import LokiClient

    route = r"^reports/(?P<year>\d+)/\"x\"/$"
    now_ns = time.time_ns() // 1000 * 1000
    with LokiClient(ruler.loki_url) as client, requests.Session() as session:
        session.trust_env = False
        seconds = range(36, 46)
        push(
            client,
            [
                line(
                    "http.request_finished",
                    "web",
                    now_ns - age * S,
                    route=route,
                    response_time_ms=1000.0 + age,
                    is_error=0,
                )
                for age in seconds
            ]
            + [
                line(
                    "google_api.call_finished",
                    "web",
                    now_ns - age * S,
                    project="p",
                    is_rate_limited=int(age == 40),
                    quota_units=50,
                    **QUOTAS,
                )
                for age in seconds
            ],
        )
        firing = eventually(lambda: _alerts(client, "firing", {"GoogleQuotaMinute80", "GoogleRateLimited"}))
        pending = eventually(lambda: _alerts(client, "pending", {"SlowRoute"}))
        groups = eventually(lambda: _healthy(client))
        recorded = eventually(lambda: _recorded(session, ruler, "route:http_response_time_ms:p95_5m"))
        links = {alert: _link(found, "logs_url") for alert, found in {**firing, **pending}.items()}
        counts = {alert: _line_count(client, query, now_ns) for alert, query in links.items()}
    assert sum(len(group.rules) for group in groups) == len(ALERTS) + (RULES / "recording.yaml").read_text().count(
        "record:"
    )
    assert counts == {"GoogleQuotaMinute80": 10, "GoogleRateLimited": 1, "SlowRoute": 10}
    slow = pending["SlowRoute"]
    assert slow.labels["route"] == route
    assert slow.annotations["runbook_url"] == "docs/runbooks/SlowRoute.md"
    assert slow.annotations["summary"] == f"{route} is slow: p95 1045 ms"
    assert (
        firing["GoogleQuotaMinute80"].annotations["summary"]
        == "Google project p: 83.33% of the quota per minute is used"
    )
    labels, value = recorded
    assert labels == {
        "__name__": "route:http_response_time_ms:p95_5m",
        "service_name": "web",
        "env": ENV,
        "route": route,
    }
    assert value == pytest.approx(1036 + 0.95 * 9)


def _alerts(client: LokiClient, state: str, names: set[str]) -> dict[str, Alert] | None:
    found = {alert.labels["alertname"]: alert for alert in client.alerts() if alert.state == state}
    return {name: found[name] for name in names} if names <= set(found) else None


def _healthy(client: LokiClient) -> Any:
    groups = client.rules()
    errors = [(rule.name, rule.last_error) for group in groups for rule in group.rules if rule.health == "err"]
    assert errors == []
    return groups if all(rule.health == "ok" for group in groups for rule in group.rules) else None


def _recorded(session: requests.Session, ruler: Stack, record: str) -> tuple[dict[str, str], float] | None:
    answer = session.get(
        f"{ruler.prometheus_url}/api/v1/query", params={"query": f'{{__name__="{record}"}}'}, timeout=10
    )
    result = answer.json()["data"]["result"]
    return (result[0]["metric"], float(result[0]["value"][1])) if result else None


def _link(alert: Alert, annotation: str) -> str:
    """The LogQL in an Explore link, as Grafana would read it."""
    url = urlsplit(alert.annotations[annotation])
    assert f"{url.scheme}://{url.hostname}" == "http://127.0.0.1"
    assert url.path == "/explore"
    pane = json.loads(parse_qs(url.query)["panes"][0])["a"]
    assert pane["datasource"] == "loki"
    return str(pane["queries"][0]["expr"])


def _line_count(client: LokiClient, query: str, now_ns: int) -> int:
    return len(client.query_range(query, now_ns - 600 * S, now_ns + S).entries)
