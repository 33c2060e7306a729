"""`logpipe forecast`, as typed: the values the forecasting alerts compare, over a real Loki and a real Prometheus.

In: recorded series, an hour of heartbeats, calls to Google. Out: assertions on tables, JSON and exit codes. Never: a
command in this process.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.loki_client import LokiClient
from tests.cli.command import logpipe
from tests.cli.conftest import Watched
from tests.cli.test_slo import write
from tests.pipeline.events import line, push

CONFIG = Path(__file__).resolve().parents[2] / "loki"
_S = 1_000_000_000


def forecast(watched: Watched, *options: object) -> Any:
    return logpipe("forecast", "--config", CONFIG, *options, cwd=watched.directory)


def test_days_left_and_growth_are_told_by_prometheus(watched: Watched) -> None:
    """The soonest first; exit 1 where an alert's limit is passed; tables by growth."""
    labels = {"service_name": "web", "env": "test"}
    grows = "alias_table:db_table_growth_bytes_per_day:deriv_1d"
    write(
        watched,
        ("service:log_disk_left_days:deriv_1d", labels, 30.0),
        ("service:log_disk_left_days:deriv_1d", {**labels, "service_name": "soon"}, 1.5),
        ("alias:db_size_left_days:deriv_1d", {**labels, "alias": "default"}, 8.0),
        (grows, {**labels, "alias": "default", "table": "event"}, 3 * 1024 * 1024.0),
        (grows, {**labels, "alias": "default", "table": "account"}, 10 * 1024 * 1024.0),
        (grows, {**labels, "alias": "default", "table": "shrinks"}, -5.0),
    )
    done = forecast(watched, "--prometheus-url", watched.stack.prometheus_url, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    told = [(one["alert"], one["of"]["service_name"], one["left_s"], one["is_breach"]) for one in found["forecasts"]]
    assert told == [
        ("DiskFullInDays", "soon", 1.5 * 86400, True),
        ("DiskFullInDays", "web", 30 * 86400, False),
        ("DatabaseFillsUp", "web", 8 * 86400, False),
    ]
    assert {one["alert_s"] for one in found["forecasts"]} == {4 * 86400, 7 * 86400}
    growth = {item["of"]["table"]: item["bytes_per_day"] for item in found["growth"]}
    assert growth == {"account": 10 * 1024 * 1024.0, "event": 3 * 1024 * 1024.0}
    shown = forecast(watched, "--prometheus-url", watched.stack.prometheus_url, "--show-query").stdout
    assert "36 h" in shown
    assert "300.0 MiB" in shown
    assert "\nservice:log_disk_left_days:deriv_1d\n" in shown


def test_hours_left_and_the_day_s_quota_are_told_by_loki(watched: Watched) -> None:
    """From the last hour's heartbeats, and from the calls of the day; what has no end says so."""
    now_ns = time.time_ns() // _S * _S
    # 0.04 % of the disk every 15 s; 80.44 % are free at the end.
    beats = [
        line(
            "process.sampled", "full", now_ns - 31 * _S - (240 - n) * 15 * _S,
            instance_id="b" * 32, uptime_s=15.0 * n, log_disk_free_ratio=round(0.9 - n * 0.0004, 6), memory_used_ratio=0.1,
            failed_count=0,
        )
        for n in range(240)
    ]  # fmt: skip
    calls = [
        line(
            "google_api.call_finished", "full", now_ns - 40 * _S - n * 60 * _S, project="p", quota_day="2026-11-26",
            quota_units=10, quota_day_limit=1000, quota_day_left_s=3600.0, quota_minute_limit=600, is_error=0,
        )
        for n in range(50)
    ]  # fmt: skip
    with LokiClient(watched.stack.loki_url) as loki:
        push(loki, [*beats, *calls])
    done = forecast(watched, "--loki-url", watched.stack.loki_url, "--json")
    by_alert = {one["alert"]: one for one in json.loads(done.stdout)["forecasts"]}
    assert by_alert["DiskFillsUp"]["left_s"] == pytest.approx(0.8044 / 0.0004 * 15, rel=0.01)
    assert by_alert["DiskFillsUp"]["of"] == {"env": "test", "service_name": "full"}
    assert by_alert["GoogleQuotaDayRunsOut"]["share"] == pytest.approx(1.0)
    assert by_alert["GoogleQuotaDayRunsOut"]["is_breach"]
    assert "MemoryRunsOut" not in by_alert
    assert done.returncode == 1
    shown = forecast(watched, "--loki-url", watched.stack.loki_url)
    assert "100 % by midnight Pacific" in shown.stdout
    assert "no end in sight, or too few samples" in shown.stdout
    assert "Prometheus not asked: no address (--prometheus-url)" in shown.stderr


def test_no_answer_is_exit_code_3_and_no_address_says_how_to_give_one(watched: Watched) -> None:
    """Alertmanager is of no use here, and not missed."""
    away = forecast(watched, "--prometheus-url", "http://127.0.0.1:1", "--loki-url", "http://127.0.0.1:1")
    assert (away.returncode, "Alertmanager" in away.stderr) == (3, False)
    unknown = forecast(watched)
    assert (unknown.returncode, "give --loki-url and --prometheus-url" in unknown.stderr) == (2, True)
