"""A small project and its servers, shared by the commands that look at alerts, objectives and the pipeline itself.

In: rules of a second's interval. Out: a Watched: a directory, a running stack, events behind what fires. Never: the
committed rules, whose windows are minutes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from logging_pkg.http_session import http_session
from logging_pkg.loki_client import LokiClient
from logging_pkg.stack import Binary, Stack
from tests.cli.command import logpipe
from tests.pipeline.events import line, push

_S = 1_000_000_000
_WAIT_S = 60.0
CORRELATIONS = [f"{number:032x}" for number in (0xA1, 0xA2, 0xA3)]

_LOGS = """\
{{ externalURL }}/explore?schemaVersion=1&orgId=1&panes={{
            printf `{"a":{"datasource":"loki","queries":[{"refId":"A","expr":%q}],"range":{"from":"now-1h","to":"now"}}}`
            (printf `{event="http.request_finished", service_name=%q} | json is_error="is_error" | is_error = 1`
            $labels.service_name) | urlquery }}"""
_FAILED = 'sum by (service_name) (count_over_time({event="http.request_finished"} | json is_error="is_error" | is_error = 1 [1h]))'
LOKI_RULES = f"""\
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopFails
        # More than two in an hour.
        expr: |-
          {_FAILED} > 2
        labels: {{severity: critical}}
        annotations:
          summary: '{{{{ $value }}}} requests of {{{{ $labels.service_name }}}} have failed'
          runbook_url: docs/runbooks/ShopFails.md
          logs_url: >-
            {_LOGS}
      - alert: ShopFailsForLong
        expr: '{_FAILED} > 2'
        for: 1h
        labels: {{severity: warning}}
      - alert: ShopFailsOften
        expr: '{_FAILED} > 1000'
        labels: {{severity: warning}}
      - alert: PipelineAlive
        expr: sum(count_over_time({{event=~"process.sampled|shipper.status_reported"}}[1h]))
        labels: {{severity: info}}
      - record: service:process_heartbeats:rate_5m
        expr: sum by (service_name) (rate({{event="process.sampled"}}[5m]))
"""
PROMETHEUS_RULES = """\
groups:
  - name: beats
    interval: 1s
    rules:
      - alert: HeartBeats
        expr: service:process_heartbeats:rate_5m{service_name="shop"} > 0.001
        labels: {severity: warning}
        annotations: {summary: a heart beats}
"""
RUNBOOK = (
    "# ShopFails\n\n## Meaning\n\nMore than two requests of an hour have failed.\n\n## Mitigation\n\n- Roll back.\n"
)


@dataclass
class Watched:
    """A project in `directory`, and the servers that watch it."""

    stack: Stack
    directory: Path

    @property
    def addresses(self) -> list[str]:
        """As options."""
        names = ("loki", "prometheus", "alertmanager")
        return [item for name in names for item in (f"--{name}-url", self.stack.url(name))]

    def logpipe(self, *arguments: object) -> CompletedProcess[str]:
        """Ask these servers from within the project."""
        return logpipe(*arguments, *self.addresses, cwd=self.directory)

    def beat(self) -> None:
        """A heartbeat and a shipper's report of now, and a file just written."""
        now_ns = time.time_ns()
        told = {"lag_s": 0.4, "backlog_bytes": 0, "dead_letter_count": 0}
        with LokiClient(self.stack.loki_url) as loki:
            push(
                loki,
                [
                    line("process.sampled", "shop", now_ns, failed_count=0),
                    line("shipper.status_reported", "logpipe-shipper", now_ns, **told),
                ],
            )
        (self.directory / ".logpipe/logs/shop-1.ndjson").touch()

    def post(self, path: str, document: Any) -> dict[str, Any]:
        """To Alertmanager; its answer, empty where it says nothing."""
        with http_session(self.stack.alertmanager_url) as session:
            answer = session.post(f"{self.stack.alertmanager_url}{path}", json=document, timeout=10)
        answer.raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def post_alerts(self, *labels: dict[str, str], is_over: bool = False) -> None:
        """As a ruler does."""
        end = datetime.now(UTC) + timedelta(seconds=-1 if is_over else 3600)
        begin = end - timedelta(hours=2)
        times = {"startsAt": begin.isoformat(), "endsAt": end.isoformat()}
        self.post("/api/v2/alerts", [{"labels": one, "annotations": {}, **times} for one in labels])

    def delete(self, path: str) -> None:
        """From Alertmanager."""
        with http_session(self.stack.alertmanager_url) as session:
            session.delete(f"{self.stack.alertmanager_url}{path}", timeout=10).raise_for_status()


def eventually(look: Callable[[], CompletedProcess[str]], is_there: Callable[[CompletedProcess[str]], object]) -> Any:
    """A command's end, as soon as it is as expected."""
    end = time.monotonic() + _WAIT_S
    while True:
        done = look()
        if is_there(done):
            return done
        assert time.monotonic() < end, done.stdout + done.stderr
        time.sleep(0.5)


@pytest.fixture(scope="module")
def watched(stack_binaries: Mapping[str, Binary], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Failed requests and a heartbeat of `shop`, in Loki and in a log file; alerts that know of them.

    A story per file of tests: its rules look at the last five minutes, and all files together may take longer.
    """
    directory = tmp_path_factory.mktemp("watched")
    files = {
        "loki/rules/shop.yaml": LOKI_RULES,
        "loki/prometheus_rules/beats.yaml": PROMETHEUS_RULES,
        "docs/runbooks/ShopFails.md": RUNBOOK,
    }
    now_ns = time.time_ns()
    lines = [
        line(
            "http.request_finished", "shop", now_ns - 5 * _S + number * 1_000_000, is_error=1, correlation_id=identifier
        )
        for number, identifier in enumerate(CORRELATIONS)
    ]
    lines += [line("process.sampled", "shop", now_ns - age * _S, failed_count=0) for age in (60, 30, 2)]
    files[".logpipe/logs/shop-1.ndjson"] = "".join(f"{json.dumps(item)}\n" for item in lines)
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    with (
        Stack(
            rules_directory=directory / "loki/rules", prometheus_rules_directory=directory / "loki/prometheus_rules"
        ) as stack,
        LokiClient(stack.loki_url) as loki,
    ):
        push(loki, lines)
        watched = Watched(stack, directory)
        watched.beat()
        yield watched
