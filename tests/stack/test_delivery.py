"""Alertmanager as it is configured: who gets what, in which words, and what keeps quiet.

Alerts are posted as Loki's ruler posts them; Loki, Alertmanager and the enricher are the real ones, and so is the configuration:
for chat and mail exactly what its comments say was done to it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from requests.adapters import HTTPAdapter, Retry

from logging_pkg.stack import AlertEnricher, enricher
from logging_pkg.stack.enricher import MAX_IDS
from logging_pkg.stack.ports import free_ports
from tests.pipeline.alert_links import linked

from .delivering import Delivery, delivering

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "mail-password"
#: What may be why a service is down.
CAUSES = (
    "DatabaseFillsUp",
    "DiskFillsUp",
    "DiskFullInDays",
    "FileDescriptorsNearLimit",
    "MemoryNearLimit",
    "MemoryRunsOut",
    "WorkersSaturated",
)
QUERY = '{event="http.request_finished", service_name="shop"} | json is_error="is_error" | is_error = 1'


#: As alerts have it: a panel, and what is chosen on its dashboard.
PANEL = "http://127.0.0.1:3000/d/requests?viewPanel=1234&from=now-3h&to=now&var-service_name=shop&var-route=%2Fa%2F"


def alert(name: str, severity: str = "critical", *, is_over: bool = False, **labels: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    pane = {
        "datasource": "loki",
        "queries": [{"refId": "A", "expr": QUERY}],
        "range": {"from": "now-1h", "to": "now"},
    }
    link = "http://127.0.0.1:3000/explore?" + urlencode({"orgId": 1, "panes": json.dumps({"a": pane})})
    return {
        "labels": {"alertname": name, "severity": severity, "service_name": "shop", "env": "test", **labels},
        "annotations": {
            "summary": f"{name} <of> shop & co",
            "description": "5 % of requests fail; the limit is 1 %.",
            "runbook_url": f"docs/runbooks/{name}.md",
            "dashboard_url": PANEL,
            "logs_url": link,
        },
        # The ruler says when the alert began to fire: now. For an older one Alertmanager does not wait group_wait.
        "startsAt": (now - timedelta(seconds=2 * is_over)).isoformat(),
        "endsAt": (now + timedelta(minutes=-1 / 60 if is_over else 4)).isoformat(),
        "generatorURL": "http://127.0.0.1:3000/explore?rule=1",
    }


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory, stack_binaries: object) -> Iterator[Delivery]:
    with delivering(ROOT / "loki", tmp_path_factory.mktemp("delivery"), PASSWORD) as found:
        yield found


def test_one_alert_reaches_webhook_chat_and_mail_with_all_that_leads_on(delivery: Delivery) -> None:
    """Runbook, panel, the LogQL behind it and three IDs of its lines: in the JSON, in the chat and in both parts of the mail."""
    delivery.post(alert("HighErrorRate"))
    traces = [f"logpipe trace {one}" for one in delivery.ids[:MAX_IDS]]

    received = delivery.received("HighErrorRate")
    assert received["annotations"]["correlation_ids"].split() == delivery.ids[:MAX_IDS]

    attachment = delivery.attachment("[FIRING:1] HighErrorRate · shop (test)")
    assert attachment["color"] == "danger"
    text = attachment["text"]
    assert "*HighErrorRate <of> shop & co*" in text
    assert "Runbook: docs/runbooks/HighErrorRate.md" in text
    links = dict(reversed(match) for match in re.findall(r"<(\S+?)\|(\w+)>", text))
    assert linked(links["Logs"]) == QUERY
    assert (links["Panel"], links["Rule"]) == (
        PANEL,
        "http://127.0.0.1:3000/explore?rule=1",
    )
    assert re.findall(r"^logpipe trace \w+$", text, re.MULTILINE) == traces

    recipients, mail = delivery.mail_about("[FIRING:1] HighErrorRate · shop (test)")
    assert recipients == ["oncall@example.com"]
    plain, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert linked(re.findall(r"^logs +(\S+)", plain, re.MULTILINE)[0]) == QUERY
    assert re.findall(r"^runbook +(\S+)", plain, re.MULTILINE) == ["docs/runbooks/HighErrorRate.md"]
    assert re.findall(r"^panel +(\S+)", plain, re.MULTILINE) == [PANEL]
    assert re.findall(r"logpipe trace \w+", plain) == traces
    assert "HighErrorRate &lt;of&gt; shop &amp; co" in html
    assert linked(unescape(re.findall(r'href="([^"]+)">logs', html)[0])) == QUERY
    assert re.findall(r"logpipe trace \w+", html) == traces
    assert delivery.mail.refused == 0


@pytest.mark.long
def test_the_end_of_an_alert_is_told_to_all_three(delivery: Delivery) -> None:
    """As over, under the same title."""
    delivery.post(alert("Ends"))
    delivery.received("Ends")
    delivery.attachment("[FIRING:1] Ends · shop (test)")
    delivery.mail_about("[FIRING:1] Ends · shop (test)")
    delivery.post(alert("Ends", is_over=True))
    # group_interval of critical alerts is a minute.
    found = delivery.webhook.wait_for(
        lambda one: one["status"] == "resolved" and one["labels"]["alertname"] == "Ends", 90
    )
    assert found is not None
    assert delivery.attachment("[RESOLVED] Ends · shop (test)")["color"] == "good"
    _, mail = delivery.mail_about("[RESOLVED] Ends · shop (test)")
    assert "Ends <of> shop & co – over" in mail.get_body(("plain",)).get_content()


def test_warnings_are_for_the_chat_and_no_mail_wakes_anybody(delivery: Delivery) -> None:
    """By severity; many alerts of one group are one message that shows three and counts the rest."""
    delivery.post(*(alert("SlowRoute", "warning", route=f"/{number}/") for number in range(5)))
    delivery.received("SlowRoute")
    attachment = delivery.attachment("[FIRING:5] SlowRoute · shop (test)")
    assert attachment["color"] == "warning"
    assert attachment["text"].count("*SlowRoute <of> shop & co*") == 3
    assert "… and more: 5 in all" in attachment["text"]
    assert [mail["Subject"] for _, mail in delivery.mail.mails if "SlowRoute" in mail["Subject"]] == []


def test_what_another_alert_says_already_is_not_sent(delivery: Delivery) -> None:
    """Down silences slow, failing and late of the same service and environment, no other's, nothing of the pipeline and no cause;
    the higher step of a quota silences the lower of the same project and day.
    """
    here = {"service_name": "down", "env": "prod"}
    quota = {"service_name": "", "env": ""}  # an empty label is none
    delivery.post(alert("AppDown", **here), alert("GoogleQuotaDay95", project="p", quota_day="1", **quota))
    delivery.post(alert("GoogleQuotaMinute95", project="p", **quota), alert("SyncFailing", service_name="sync"))
    delivery.post(
        alert("RequestErrorsSloPage", service_name="failing"), alert("GoogleApiSloPage", service_name="failing")
    )
    quiet = [
        alert("HighErrorRate", route="quiet", **here),
        alert("SlowRoute", "warning", route="quiet", **here),
        alert("SyncFailing", route="quiet", **here),
        alert("GoogleQuotaDay80", "warning", project="p", quota_day="1", route="quiet", **quota),
        alert("GoogleQuotaDayRunsOut", "warning", project="p", quota_day="1", route="quiet", **quota),
        alert("GoogleQuotaMinute80", "warning", project="p", route="quiet", **quota),
        alert("CalendarSyncLate", "warning", service_name="sync", route="quiet"),
        alert("SyncSuccessSloPage", service_name="sync", route="quiet"),
        alert("HighErrorRate", "warning", service_name="failing", route="quiet"),
        alert("GoogleApiErrors", "warning", service_name="failing", route="quiet"),
    ]
    loud = [
        alert("EventsLost", route="loud", **here),
        alert("ShipperBehind", "warning", route="loud", **here),
        alert("HealthCheckFailed", route="loud", **here),
        *(alert(cause, "critical", route="loud", **here) for cause in CAUSES),
        alert("HighErrorRate", route="loud", service_name="down", env="staging"),
        alert("SlowRoute", "warning", route="loud", service_name="other", env="prod"),
        alert("GoogleQuotaDay80", "warning", project="q", quota_day="1", route="loud", **quota),
        alert("GoogleQuotaDay80", "warning", project="p", quota_day="2", route="loud", **quota),
        alert("GoogleQuotaMinute80", "warning", project="q", route="loud", **quota),
        alert("CalendarSyncLate", "warning", service_name="other", route="loud"),
        alert("SyncSuccessSloPage", service_name="other", route="loud"),
        alert("HighErrorRate", "warning", service_name="other", route="loud"),
        alert("GoogleApiErrors", "warning", service_name="other", route="loud"),
    ]
    delivery.post(*quiet, *loud)

    def identity(one: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((name, value) for name, value in one["labels"].items() if value))

    def received() -> set[tuple[tuple[str, str], ...]]:
        alerts = [one for delivered in delivery.webhook.deliveries for one in delivered.alerts]
        return {identity(one) for one in alerts if one["labels"].get("route") in {"quiet", "loud"}}

    end = time.monotonic() + 60
    while not received() >= {identity(one) for one in loud}:
        assert time.monotonic() < end, {identity(one) for one in loud} - received()
        time.sleep(0.2)
    assert received() == {identity(one) for one in loud}
    held = requests.get(f"{delivery.stack.alertmanager_url}/api/v2/alerts", timeout=10).json()
    assert sum(one["labels"].get("route") == "quiet" and one["status"]["state"] == "suppressed" for one in held) == 10


def test_signs_of_life_go_to_the_switch_alone(delivery: Delivery) -> None:
    """Not to the receiver of alerts, nor to chat or mail; this stack was given no switch, so nowhere."""
    delivery.post(alert("PipelineAlive", "info"), alert("Marker", service_name="marker"))
    delivery.received("Marker")
    assert "PipelineAlive" not in delivery.names()


def test_without_the_enricher_or_its_loki_alerts_arrive_all_the_same(delivery: Delivery) -> None:
    """Past it directly; and through one whose Loki is away, in time and without IDs."""
    (nobody,) = free_ports(1)
    problems: list[str] = []
    with AlertEnricher(
        f"http://127.0.0.1:{nobody}", delivery.stack.alertmanager_url, on_problem=problems.append
    ) as lame:
        started = time.monotonic()
        answer = requests.post(
            f"{lame.url}/api/v2/alerts", json=[alert("ThroughALameOne", service_name="a")], timeout=10
        )
        assert (answer.status_code, time.monotonic() - started < 4) == (200, True)
    delivery.post(alert("Directly", service_name="b"), directly=True)
    for name in ("ThroughALameOne", "Directly"):
        assert "correlation_ids" not in delivery.received(name)["annotations"]
    assert [problem.split(":")[0] for problem in problems] == ["ThroughALameOne"]


def test_what_alertmanager_refuses_is_refused(delivery: Delivery) -> None:
    """Its status comes through; where it is away the ruler is told so, and tries again."""
    problems: list[str] = []
    with AlertEnricher(delivery.stack.loki_url, delivery.stack.alertmanager_url, on_problem=problems.append) as running:
        for body in (b"{", b"[1]", b'[{"labels": {}}]'):
            answer = requests.post(
                f"{running.url}/api/v2/alerts", data=body, headers={"Content-Type": "application/json"}, timeout=10
            )
            assert answer.status_code in {400, 422}
        assert requests.post(f"{running.url}/other", json=[], timeout=10).status_code == 404
    (nobody,) = free_ports(1)
    with AlertEnricher(delivery.stack.loki_url, f"http://127.0.0.1:{nobody}", on_problem=problems.append) as cut_off:
        assert requests.post(f"{cut_off.url}/api/v2/alerts", json=[], timeout=10).status_code == 502
    assert [problem.split()[0] for problem in problems] == ["Alertmanager"] * 4


def test_ids_stay_the_same_while_an_alert_fires(delivery: Delivery) -> None:
    """Looked up once: newer lines do not change a message that was sent, nor cost a query at each repetition."""
    asked = alert("Again", service_name="again")
    over = {**asked, "endsAt": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
    nameless = {"labels": {"alertname": "NoLink"}, "annotations": {"logs_url": "http://x/explore?panes=%7B"}}
    with AlertEnricher(delivery.stack.loki_url, delivery.stack.alertmanager_url) as running:
        running.enrich(first := [dict(asked), dict(nameless)])
        delivery.stack.kill("loki")
        running.enrich(second := [dict(asked), dict(over)])
        delivery.stack.start("loki")
    assert first[0]["annotations"]["correlation_ids"].split() == delivery.ids[:MAX_IDS]
    assert second[0] == first[0]
    assert second[1]["annotations"]["correlation_ids"] == first[0]["annotations"]["correlation_ids"]
    assert first[1] == nameless


def test_the_file_runs_alone(delivery: Delivery) -> None:
    """As in compose.yaml: without the package, with the addresses it is given."""
    (port,) = free_ports(1)
    addresses = ["--loki", delivery.stack.loki_url, "--alertmanager", delivery.stack.alertmanager_url]
    process = subprocess.Popen([sys.executable, "-I", "-S", enricher.__file__, "--port", str(port), *addresses])
    try:
        with requests.Session() as session:
            retries = Retry(connect=30, backoff_factor=0.05, allowed_methods=None)
            session.mount("http://", HTTPAdapter(max_retries=retries))
            url = f"http://127.0.0.1:{port}/api/v2/alerts"
            assert session.post(url, json=[alert("Alone", service_name="alone")], timeout=30).status_code == 200
        assert delivery.received("Alone")["annotations"]["correlation_ids"].split() == delivery.ids[:MAX_IDS]
    finally:
        process.kill()
        process.wait()
