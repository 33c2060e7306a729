"""Every page of an objective on the clock: from the event that breaks it to its receiver, and its end once all is well.

In: events written by the library and shipped by `logpipe ship`, after five hours in which all was well; the servers, rules
and configuration as they are shipped. Out: seconds from emission to delivery, from the last bad event to the message that it
is over. Never: a shortened interval, or an event of the trouble that is pushed past the shipper. About 15 minutes: `make test-long`.

How long an objective has to be broken before its page is due is another question, and one of its windows: after an hour in which
all was well they need 8.6 minutes of nothing but errors, of slow pages 43. That is in docs/ALERT_TIMES.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from logging_pkg.http_session import http_session
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.pipeline.dashboards.panels_of import filled_in
from logging_pkg.stack import Stack
from tests.e2e.live import Service, running
from tests.e2e.objectives import PAST_MIN, TROUBLE, Live
from tests.pipeline.alert_links import linked, opened
from tests.pipeline.events import ENV, push

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    rule["alert"]
    for path in sorted((ROOT / "loki/prometheus_rules").glob("*.yaml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
    if rule.get("labels", {}).get("severity") == "critical"
}
S = 1_000_000_000
PROMISED_S = 300

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@dataclass
class World:
    """Everything that runs."""

    stack: Stack
    live: dict[str, Live]

    def delivered(self, name: str, status: str, timeout_s: float) -> tuple[int, dict[str, Any]] | None:
        """When the first message that an alert fires, or is over, came, and the alert as it was delivered."""
        assert self.stack.receiver is not None
        found = self.stack.receiver.wait_for(
            lambda alert: (alert["labels"]["alertname"], alert["status"]) == (name, status), timeout_s
        )
        return found and (found[0].received_ns, found[1])

    def firing(self) -> set[tuple[str, str, str]]:
        """Severity, name and service of every alert that was delivered as firing."""
        assert self.stack.receiver is not None
        alerts = [alert for delivery in self.stack.receiver.deliveries for alert in delivery.alerts]
        labels = [alert["labels"] for alert in alerts if alert["status"] == "firing"]
        return {(one["severity"], one["alertname"], one.get("service_name", "")) for one in labels}

    def samples(self, query: str) -> list[dict[str, Any]]:
        """What a PromQL expression is now."""
        with http_session(self.stack.prometheus_url) as session:
            url = f"{self.stack.prometheus_url}/api/v1/query"
            answer = session.get(url, params={"query": query}, timeout=10)
        answer.raise_for_status()
        return list(answer.json()["data"]["result"])


@pytest.fixture(scope="module")
def world(stack_binaries: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Five hours in which all was well, counted by `logpipe backfill`; and it still is."""
    directory = tmp_path_factory.mktemp("pages")
    logs = directory / "logs"
    logs.mkdir()
    with ExitStack() as everything:
        stack = everything.enter_context(
            Stack(rules_directory=ROOT / "loki/rules", prometheus_rules_directory=ROOT / "loki/prometheus_rules")
        )
        with LokiClient(stack.loki_url) as loki:
            now_ns = time.time_ns() // 1000 * 1000
            for name, trouble in TROUBLE.items():
                push(loki, trouble.past(name.lower(), now_ns))
        arguments = ("--loki-url", stack.loki_url, "--prometheus-url", stack.prometheus_url)
        series = [record for name in TROUBLE for record in recorded_by(name) for record in ("--rule", record)]
        done = subprocess.run(
            [sys.executable, "-m", "logging_pkg.cli", "backfill", "--from", f"{PAST_MIN}m", *series, *arguments],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        everything.enter_context(
            running("ship", "--loki-url", stack.loki_url, logs=logs, output=directory / "ship.txt")
        )
        live = {name: Live(name, trouble, Service(logs, name.lower())) for name, trouble in TROUBLE.items()}
        for one in live.values():
            one.start()
            everything.callback(one.stop)
        yield World(stack, live)


def recorded_by(page: str) -> list[str]:
    """The series of Loki that count an objective's events."""
    objective = next(
        slo["name"]
        for slo in yaml.safe_load((ROOT / "loki/slos.yaml").read_text())["slos"]
        if f"{slo['name'].title().replace('_', '')}SloPage" == page
    )
    return [f"slo:{objective}_events:count_1m", f"slo:{objective}_bad_events:count_1m"]


def test_each_page_has_its_trouble() -> None:
    """A new objective needs an entry in TROUBLE: what breaks it."""
    assert set(TROUBLE) == PAGES


def test_every_page_is_delivered_in_time_and_its_end_too(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Under 5 minutes from the first bad event; its links lead to the bad lines; over once all is well; then the ticket."""
    past_is_known(world)
    for one in world.live.values():
        one.break_down()
    pages: dict[str, dict[str, Any]] = {}
    took_s: dict[str, float] = {}
    for name, one in world.live.items():
        found = world.delivered(name, "firing", PROMISED_S)
        assert found is not None, f"{name} was not delivered within {PROMISED_S} s; {took_s} s were"
        took_s[name], pages[name] = (found[0] - one.first_bad_ns) / S, found[1]
    burning = {name: burn_rates(world, page) for name, page in pages.items()}
    tickets = world.samples('ALERTS{alertname=~".+SloTicket"}')
    # What else is going to be sent has the time to arrive: a round of Prometheus's rules, and Alertmanager's wait.
    time.sleep(75)
    firing = world.firing()
    for one in world.live.values():
        one.mend()
    over_s: dict[str, float] = {}
    for name, one in world.live.items():
        found = world.delivered(name, "resolved", 900)
        assert found is not None, f"{name} does not end"
        over_s[name] = (found[0] - one.last_bad_ns) / S
    with capsys.disabled():
        print("\npage                     delivered after  over after")
        for name in TROUBLE:
            print(f"{name:24} {took_s[name]:13.1f} s {over_s[name]:9.1f} s")
    assert max(took_s.values()) < PROMISED_S
    # One page for one breach, of its own service, and no ticket beside it.
    assert {found for found in firing if found[0] == "critical"} == {
        ("critical", name, name.lower()) for name in TROUBLE
    }
    assert tickets == []
    for name, page in pages.items():
        assert_leads_on(world, name, page)
        assert burning[name] > 14.4
    # What was broken stays so: the day's windows remember it.
    for name in TROUBLE:
        ticket = name.replace("SloPage", "SloTicket")
        assert world.delivered(ticket, "firing", 180) is not None, f"{ticket} was not delivered after the end of {name}"


def past_is_known(world: World) -> None:
    """Wait until every objective has five hours of counts in its windows, and no budget is burning."""
    deadline = time.monotonic() + 240
    while True:
        counted = world.samples(
            "count_over_time({__name__=~'slo:.+_events:count_1m', __name__!~'.*_bad_events.*'}[6h])"
        )
        rates = world.samples("slo:burn_rate:avg_1h")
        services = {sample["metric"]["service_name"] for sample in rates}
        if len(services) == len(TROUBLE) and len(counted) >= len(TROUBLE):
            break
        assert time.monotonic() < deadline, (counted, rates)
        time.sleep(2)
    assert min(float(sample["value"][1]) for sample in counted) > 200
    assert {float(sample["value"][1]) for sample in rates if sample["metric"]["slo"] != "sync_success"} == {0.0}
    assert world.samples('ALERTS{severity="critical"}') == []


def burn_rates(world: World, page: dict[str, Any]) -> float:
    """What the panel of a page shows at this moment: the fast burn rate of its objective and service."""
    _uid, panel, chosen = opened(page["annotations"]["dashboard_url"])
    assert chosen == {name: page["labels"][name] for name in ("slo", "service_name", "env")}
    (sample,) = world.samples(filled_in(panel["targets"][0]["expr"], chosen))
    assert sample["metric"]["slo"] == page["labels"]["slo"]
    return float(sample["value"][1])


def assert_leads_on(world: World, name: str, page: dict[str, Any]) -> None:
    """Labels, texts and links of a page; its logs are the bad events of its service, and all of them bad."""
    one = world.live[name]
    slo = page["labels"]["slo"]
    assert page["labels"] == {
        "alertname": name, "severity": "critical", "slo": slo, "service_name": name.lower(), "env": ENV,
    }  # fmt: skip
    assert page["annotations"]["summary"].startswith(f"{name.lower()}: {slo} burns its error budget ")
    assert "% is left." in page["annotations"]["description"]
    assert page["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    with LokiClient(world.stack.loki_url) as loki:
        query = linked(page["annotations"]["logs_url"])
        lines = loki.query_range(query, one.first_bad_ns - S, time.time_ns())
    assert isinstance(lines, Streams)
    events = [json.loads(entry.line) for entry in lines.entries]
    assert len(events) >= min(one.trouble.at_once, 100)
    bad = {key: value for key, value in one.trouble.bad.items() if one.trouble.good.get(key) != value}
    assert [event for event in events if any(event[key] != value for key, value in bad.items())] == []
