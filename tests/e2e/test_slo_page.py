"""A burst of failing requests, and who is told of it: the shipped rules, with their own windows and intervals.

In: events pushed into a real Loki as a shipper does. Out: assertions on what Alertmanager delivers, and when. Never: a
shorter interval than the one that is committed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.pipeline.dashboards.panels_of import filled_in
from logging_pkg.stack import Stack
from tests.pipeline.alert_links import linked, opened
from tests.pipeline.events import ENV, line, push

PROJECT = Path(__file__).parents[2]
S = 1_000_000_000
#: From the first failing request to the receiver's thread (R15: a critical alert is delivered within 5 minutes).
PROMISED_S = 300


@pytest.mark.long
@pytest.mark.timeout(480)
def test_a_burst_of_errors_pages_once_within_five_minutes() -> None:
    """Loki counts, Prometheus judges, Alertmanager delivers: one page, its links lead to the lines, no ticket beside it."""
    with (
        Stack(
            rules_directory=PROJECT / "loki/rules", prometheus_rules_directory=PROJECT / "loki/prometheus_rules"
        ) as stack,
        LokiClient(stack.loki_url) as loki,
    ):
        begin_ns = time.time_ns()
        delivery_ns, page = _page(stack, loki, begin_ns)
        seconds = (delivery_ns - begin_ns) / S
        print(f"first failing request to delivered page: {seconds:.0f} s")
        # What else is going to be sent has the time to arrive: a round of Prometheus's rules, and Alertmanager's wait.
        time.sleep(75)
        assert stack.receiver is not None
        pages = [
            alert["labels"]["alertname"]
            for delivery in stack.receiver.deliveries
            for alert in delivery.alerts
            if alert["labels"]["severity"] == "critical"
        ]
        query = linked(page["annotations"]["logs_url"])
        lines = loki.query_range(query, begin_ns - S, time.time_ns())
        tickets = _prometheus(stack, 'ALERTS{alertname=~".+SloTicket"}')
        _uid, panel, chosen = opened(page["annotations"]["dashboard_url"])
        burning = _prometheus(stack, filled_in(panel["targets"][0]["expr"], chosen))
    assert seconds < PROMISED_S
    assert set(pages) == {"RequestErrorsSloPage"}
    assert tickets == []
    assert page["labels"] == {
        "alertname": "RequestErrorsSloPage", "severity": "critical", "slo": "request_errors", "service_name": "shop", "env": ENV,
    }  # fmt: skip
    assert page["annotations"]["summary"] == "shop: request_errors burns its error budget 50.0 times too fast"
    assert "Of the budget -4900% is left." in page["annotations"]["description"]
    assert page["annotations"]["runbook_url"] == "docs/runbooks/RequestErrorsSloPage.md"
    assert isinstance(lines, Streams)
    assert lines.entries
    assert all(json.loads(entry.line)["is_error"] == 1 for entry in lines.entries)
    assert chosen == {"slo": "request_errors", "service_name": "shop", "env": ENV}
    assert [sample["metric"]["slo"] for sample in burning] == ["request_errors"]
    assert float(burning[0]["value"][1]) > 14.4


def _page(stack: Stack, loki: LokiClient, begin_ns: int) -> tuple[int, dict[str, Any]]:
    """Half of the requests fail, from now on; the first page, and when it arrived."""
    assert stack.receiver is not None
    while time.time_ns() < begin_ns + PROMISED_S * S:
        now_ns = time.time_ns() // 1000 * 1000
        push(
            loki,
            [
                line(
                    "http.request_finished", "shop", now_ns - n * 1000, route="/reports/error/", is_error=n % 2,
                    response_time_ms=20.0, query_count=1,
                )
                for n in range(10)
            ],
        )  # fmt: skip
        for delivery in stack.receiver.deliveries:
            for alert in delivery.alerts:
                if alert["labels"]["alertname"] == "RequestErrorsSloPage":
                    return delivery.received_ns, alert
        time.sleep(2)
    raise AssertionError(f"no page after {PROMISED_S} s; delivered: {stack.receiver.deliveries}")


def _prometheus(stack: Stack, query: str) -> list[dict[str, Any]]:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{stack.prometheus_url}/api/v1/query", params={"query": query}, timeout=10)
    answer.raise_for_status()
    return list(answer.json()["data"]["result"])
