"""The alert rules in Loki's own ruler: loaded, evaluated, in time; their links lead to the lines.

What each alert fires for, and for what not, is in loki/tests (`logpipe rules test`); when, in test_promised_times.py.
"""

from __future__ import annotations

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

#: Quotas the test's events tell: 600 a minute, 200 for a user, 1,000,000 a day of which 10 hours are left.
QUOTAS = {
    "quota_minute_limit": 600,
    "quota_user_minute_limit": 200,
    "quota_day_limit": 1_000_000,
    "quota_day_left_s": 36_000.0,
}


def test_many_small_users_are_no_error(loki: LokiClient) -> None:
    """600 users are more series than Loki allows a query by default (500); the limit is raised, see loki.yaml."""
    now_ns = time.time_ns() // 1000 * 1000
    fields = {**QUOTAS, "project": "many-users", "is_rate_limited": 0, "quota_units": 1}
    push(
        loki,
        [
            line("google_api.call_finished", "many-users", now_ns - 60 * S - n * 1000, account_hash=f"a{n}", **fields)
            for n in range(600)
        ],
    )
    samples = loki.query(ALERTS["GoogleUserQuotaMinute80"]["expr"], now_ns).samples
    assert [sample for sample in samples if sample.labels["project"] == "many-users"] == []


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
    from logging_pkg.http_session import http_session
    from logging_pkg.loki_client import LokiClient

    route = r"^reports/(?P<year>\d+)/\"x\"/$"
    now_ns = time.time_ns() // 1000 * 1000
    with LokiClient(ruler.loki_url) as client, http_session(ruler.loki_url) as session:
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
    assert sum(len(group.rules) for group in groups) == len(ALERTS) + sum(
        path.read_text().count("record:") for path in RULES.iterdir()
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
