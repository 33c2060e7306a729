"""`logpipe slo`, as typed, over series written to a real Prometheus.

In: recorded series of now. Out: assertions on the table, JSON and exit codes. Never: a command in this process.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from logging_pkg.pipeline.backfill.prometheus import Prometheus
from tests.cli.command import logpipe
from tests.cli.conftest import Watched

ROOT = Path(__file__).resolve().parents[2]


def write(watched: Watched, *series: tuple[str, dict[str, str], float]) -> None:
    """As the ruler and Prometheus's rules record them, now."""
    at_ms = int(time.time() * 1000)
    Prometheus(watched.stack.prometheus_url).write(
        {tuple(sorted({"__name__": name, **labels}.items())): {at_ms: value} for name, labels, value in series}
    )


def objective(
    slo: str, service: str, error_ratio: float, left: float, **burn: float
) -> list[tuple[str, dict[str, str], float]]:
    labels = {"slo": slo, "service_name": service, "env": "test"}
    return [
        ("slo:error_ratio:avg_30d", labels, error_ratio),
        ("slo:error_budget_left:ratio", labels, left),
        *((f"slo:burn_rate:avg_{window}", labels, rate) for window, rate in burn.items()),
    ]


def test_objectives_are_told_with_what_is_left_and_how_fast_it_goes(watched: Watched) -> None:
    """Least left first; exit 1 while one is spent, 0 for a service that keeps its promises; one without events says so."""
    rates = {"5m": 2.5, "30m": 2.0, "1h": 1.5, "2h": 1.0, "6h": 0.5, "1d": 0.4, "3d": 0.3}
    write(
        watched,
        *objective("request_errors", "good", 0.004, 0.6, **rates),
        *objective("request_errors", "bad", 0.02, -1.0, **{"1h": 20.0}),
    )
    asked = ["slo", "--root", ROOT, "--prometheus-url", watched.stack.prometheus_url]
    done = logpipe(*asked, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert [(one["name"], one["service_name"], one["budget_left"]) for one in found[:2]] == [
        ("request_errors", "bad", -1.0),
        ("request_errors", "good", 0.6),
    ]
    assert found[1]["objective"] == 0.99
    assert found[1]["window_days"] == 30
    assert found[1]["good_ratio"] == 0.996
    assert list(found[1]["burn_rates"].items()) == list(rates.items())
    assert {one["name"] for one in found[2:]} == {"key_routes_latency", "sync_success", "google_api"}
    assert {one["good_ratio"] for one in found[2:]} == {None}
    shown = logpipe(*asked).stdout
    assert "99 % over 30 d" in shown
    assert "99.6 %" in shown
    assert "████████████░░░░░░░░" in shown
    assert "no events" in shown
    assert "spent: request_errors. No risky release" in shown
    good = logpipe(*asked, "--service", "good", "--show-query")
    assert (good.returncode, "bad" in good.stdout) == (0, False)
    assert "slo:error_budget_left:ratio" in good.stdout


def test_without_prometheus_there_is_nothing_to_tell(tmp_path: Path) -> None:
    """No address: how to give one; no answer: exit 3."""
    unknown = logpipe("slo", cwd=tmp_path)
    assert (unknown.returncode, unknown.stderr) == (
        2,
        "logpipe: no Prometheus known: start one with `logpipe stack up`, or give --prometheus-url\n",
    )
    assert logpipe("slo", "--prometheus-url", "http://127.0.0.1:1").returncode == 3
