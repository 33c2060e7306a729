"""Rules and alerts of a real ruler."""

from __future__ import annotations

import time
from pathlib import Path

from logging_pkg.loki_client import Entry, LokiClient
from logging_pkg.stack import Stack

from .conftest import Store

RULES = """
groups:
  - name: example
    interval: 1s
    rules:
      - record: test:lines:count1h
        expr: sum(count_over_time({event="test.thing_done"}[1h]))
        labels: {kind: example}
      - alert: LinesSeen
        expr: sum(count_over_time({event="test.thing_done"}[1h])) > 0
        for: 10m
        labels: {severity: warning}
        annotations: {summary: there are lines}
"""


def test_rules_and_alerts_are_typed(stack_binaries, tmp_path: Path) -> None:
    """A recording and an alerting rule with their health, and an alert that is pending."""
    (tmp_path / "example.yaml").write_text(RULES)
    with Stack(servers=("loki",), rules_directory=tmp_path) as stack, LokiClient(stack.loki_url) as client:
        assert client.alerts() == []
        store = Store(client)
        client.push([store.stream([Entry(time.time_ns(), "x")])])
        deadline = time.monotonic() + 30
        while not client.alerts() and time.monotonic() < deadline:
            time.sleep(0.05)
        (alert,) = client.alerts()
        assert (alert.state, alert.labels["alertname"], alert.annotations) == (
            "pending",
            "LinesSeen",
            {"summary": "there are lines"},
        )
        (group,) = client.rules()
        recorded, pending = group.rules
        assert (group.name, group.file, group.interval_s) == ("example", "example.yaml", 1.0)
        assert (recorded.name, recorded.kind, recorded.health, recorded.labels) == (
            "test:lines:count1h",
            "recording",
            "ok",
            {"kind": "example"},
        )
        assert (pending.kind, pending.state, pending.for_s, pending.alerts[0].labels) == (
            "alerting",
            "pending",
            600.0,
            alert.labels,
        )
