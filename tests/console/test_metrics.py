"""The metrics endpoint and the pages that need rules: over all three servers.

In: a story that rules have looked at. Out: assertions on what the endpoint and the pages say. Never: a number of this
process's own.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from logging_pkg.console import metrics
from logging_pkg.loki_client import Vector, VectorSample
from tests.console.conftest import panel, settled, shown

#: A group of rules is looked at once a minute; what it records is then sent to Prometheus.
RECORDED_S = 150


@pytest.fixture
def watcher(staff: Client, addresses: Callable[..., None], watched: Any) -> Client:
    """Staff, looking at all three servers."""
    stack, _ = watched
    addresses(loki_url=stack.loki_url, prometheus_url=stack.prometheus_url, alertmanager_url=stack.url("alertmanager"))
    return staff


def recorded(client: Client, name: str) -> str:
    """The text of the endpoint, once it has a series."""
    end = time.monotonic() + RECORDED_S
    while True:
        answer = client.get("/console/metrics")
        if answer.status_code == 200 and name in answer.content.decode():
            return answer.content.decode()
        assert time.monotonic() < end, answer.content[:2000]
        time.sleep(2)


def test_the_endpoint_has_what_was_recorded_from_the_log(watcher: Client) -> None:
    """As Prometheus text and as JSON, with help, unit and LogQL; the same number in both and on the page."""
    text = recorded(watcher, "route:http_response_time_ms:p95_5m")
    samples = dict(re.findall(r"^(route:http_response_time_ms:p95_5m\{.*\}) (\S+)$", text, re.MULTILINE))
    (name,) = (name for name in samples if 'route="/dashboard/"' in name)
    assert 'service_name="shop"' in name
    assert float(samples[name]) == pytest.approx(118.05), "of 100 … 119 ms, by linear interpolation"
    assert "# HELP route:http_response_time_ms:p50_5m Response time." in text
    assert "# TYPE route:http_response_time_ms:p50_5m gauge" in text
    document = watcher.get("/console/metrics.json").json()["route:http_response_time_ms:p95_5m"]
    assert document["unit"] == "ms"
    assert "quantile_over_time(0.95," in document["logql"]
    values = {sample["labels"]["route"]: sample["value"] for sample in document["samples"]}
    assert values["/dashboard/"] == float(samples[name])
    # The chart ends at a whole step, so what was recorded this minute is in the next one's.
    end = time.monotonic() + RECORDED_S
    while "/dashboard/ 118 ms" not in (page := panel(settled(watcher, "/console/routes/"), "p95 response time")):
        assert time.monotonic() < end, page
        time.sleep(2)


def test_the_alerts_page_has_every_rule(watcher: Client) -> None:
    """With its state and its LogQL."""
    text = settled(watcher, "/console/alerts/")
    rules = panel(text, "Rules")
    assert "SlowRoute f(x)" in shown(rules)
    assert "quantile_over_time(0.95," in rules
    assert rules.count("<tr data-row>") >= 19 + 16
    assert "RequestErrorsSloPage f(x) Prometheus" in shown(rules)
    assert "SlowRoute f(x) Loki" in shown(rules)
    assert shown(panel(text, "Rules that fail")).endswith("0 ✓ none")


def test_text_is_escaped_and_unknown_series_are_left_out() -> None:
    """Backslash, quotation mark and line break in a label; a series nobody has declared; numbers that are none."""
    labels = {"__name__": "route:http_apdex_ratio:avg_5m", "route": 'a\\b"c\nd'}
    stranger = {"__name__": "a:b:c", "route": "/"}
    answer = Vector(
        (VectorSample(labels, 0, float("nan")), VectorSample(stranger, 0, 1.0), VectorSample(labels, 0, float("inf")))
    )
    text = metrics.as_text(answer)
    assert 'route:http_apdex_ratio:avg_5m{route="a\\\\b\\"c\\nd"} NaN' in text
    assert "+Inf" in text
    assert "a:b:c" not in text
    document = metrics.as_json(answer)
    assert [sample["value"] for sample in document["route:http_apdex_ratio:avg_5m"]["samples"]] == [None, None]
