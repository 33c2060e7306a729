"""Servers that hold what was written to deceive who looks: alerts, silences, series and events behind them.

In: a real Loki, Prometheus and Alertmanager. Out: assertions on outputs and exit codes. Never: a traceback.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from subprocess import CompletedProcess
from typing import Any

import pytest

from logging_pkg.loki_client import LokiClient
from tests.cli.command import logpipe
from tests.cli.conftest import CORRELATIONS, Watched, eventually
from tests.cli.test_forecast import CONFIG
from tests.cli.test_hostile_events import HOSTILE, WRONG
from tests.cli.test_slo import ROOT, write
from tests.pipeline.events import line, push

_OBEYED = set("\x1b\x07\r\x9b\u202e")
_S = 1_000_000_000
_NUMBERS = (float("nan"), float("inf"), float("-inf"), -1e308, 1e308)


def assert_harmless(done: CompletedProcess[str]) -> None:
    assert done.returncode in {0, 1}, done.stderr
    assert not _OBEYED & set(done.stdout + done.stderr)
    assert "[/bold]" in done.stdout, "what is hostile is shown"


def strict(text: str) -> Any:
    """JSON as the standard has it: without NaN and Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_alerts_and_silences_are_shown_escaped(watched: Watched) -> None:
    """Names, labels, who silenced it and why; a line feed in one makes no line."""
    watched.post_alerts({"alertname": HOSTILE, "severity": HOSTILE, "route": HOSTILE})
    now = datetime.now(UTC)
    silence = {
        "matchers": [{"name": "route", "value": HOSTILE, "isRegex": False}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": HOSTILE,
        "comment": HOSTILE,
    }
    watched.post("/api/v2/silences", silence)
    done = eventually(lambda: watched.logpipe("alerts"), lambda done: "silenced by" in done.stdout)
    assert_harmless(done)
    assert not [text for text in done.stdout.splitlines() if text.startswith("[/bold]")]
    found = watched.logpipe("alerts", "--json")
    assert_harmless(found)
    assert HOSTILE in {alert["name"] for alert in strict(found.stdout)}


def test_lines_behind_an_alert_may_be_anything(watched: Watched) -> None:
    """Escapes, texts as long as a line may be, and each field in a wrong type."""
    kept = {"timestamp", "event", "event_id", "correlation_id", "service_name", "env", "is_error", "span_id"}
    usual = line("http.request_finished", "shop", time.time_ns(), is_error=1, correlation_id=CORRELATIONS[0])
    changes = [{name: HOSTILE for name, value in usual.items() if isinstance(value, str) and name not in kept}]
    changes += [{"path": "x" * 30_000}, {"parent_span_id": 1}]
    # `search` is tried with each of them in each field; at most a hundred lines are shown here.
    changes += [{name: WRONG[number % len(WRONG)]} for number, name in enumerate(sorted(usual.keys() - kept))]
    assert len(changes) < 90
    made = [{**usual, **change, "event_id": f"hostile-{number}"} for number, change in enumerate(changes)]
    with LokiClient(watched.stack.loki_url) as loki:
        push(loki, made)
    done = eventually(
        lambda: watched.logpipe("explain", "ShopFails", "-n", "100"), lambda done: "[/bold]" in done.stdout
    )
    assert_harmless(done)
    found = watched.logpipe("explain", "ShopFails", "-n", "100", "--json")
    assert_harmless(found)
    lines = strict(found.stdout)["lines"]
    assert HOSTILE in [event["path"] for event in lines if isinstance(event, dict) and "path" in event]
    assert [text for text in lines if isinstance(text, str)], "what is no event is shown as the line it is"


def test_reports_with_wrong_numbers_end_no_doctor(watched: Watched) -> None:
    """Whichever type the fields of a shipper's report have; the sound ones count."""
    watched.beat()
    now_ns = time.time_ns()
    usual = line("shipper.status_reported", "logpipe-shipper", now_ns, lag_s=0.4, backlog_bytes=0, dead_letter_count=0)
    fields = ("lag_s", "backlog_bytes", "dead_letter_count")
    wrong = [(name, value) for name in fields for value in (*WRONG, HOSTILE)]
    made = [
        line("shipper.status_reported", "logpipe-shipper", now_ns - number * 1_000_000)
        | {name: usual[name] for name in fields}
        | {field: value}
        for number, (field, value) in enumerate(wrong)
    ]
    with LokiClient(watched.stack.loki_url) as loki:
        push(loki, made)
    watched.post_alerts({"alertname": HOSTILE})
    for options in ((), ("--json",), ("--show-query",)):
        done = watched.logpipe("doctor", *options)
        assert done.returncode in {0, 1}, done.stderr
        assert not _OBEYED & set(done.stdout + done.stderr)
    stages = {stage["name"]: stage for stage in strict(watched.logpipe("doctor", "--json").stdout)}
    assert stages["shipper"]["state"] in {"ok", "late"}
    assert stages["losses"]["state"] == "broken"


@pytest.mark.parametrize("command", ["slo", "forecast"])
def test_series_may_have_any_label_and_any_number(watched: Watched, command: str) -> None:
    """No number and beyond all numbers, too; JSON stays JSON."""
    labels = {"slo": HOSTILE, "env": HOSTILE, "alias": HOSTILE, "table": HOSTILE}
    names = ("slo:error_budget_left:ratio", "slo:error_ratio:avg_30d", "slo:burn_rate:avg_1h")
    names += ("service:log_disk_left_days:deriv_1d", "alias:db_size_left_days:deriv_1d")
    names += ("alias_table:db_table_growth_bytes_per_day:deriv_1d",)
    write(
        watched,
        *((name, {**labels, "service_name": f"{HOSTILE}{number}"}, number) for name in names for number in _NUMBERS),
    )
    asked = ["--root", ROOT] if command == "slo" else ["--config", CONFIG]
    asked += ["--prometheus-url", watched.stack.prometheus_url]
    assert_harmless(logpipe(command, *asked))
    found = logpipe(command, *asked, "--json")
    assert_harmless(found)
    assert strict(found.stdout)
