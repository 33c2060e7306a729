"""`logpipe backfill`: what it says when it cannot, and blocks for what is too old."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.stack import Stack
from tests.cli.command import logpipe
from tests.pipeline.backfill.fast_rules import PROMETHEUS_RULES, RULES
from tests.pipeline.events import line, push

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def stack(stack_binaries: Any) -> Iterator[Stack]:
    """A Loki with lines from 8 hours ago and from now, and a Prometheus with rules and without samples."""
    with Stack(("loki", "prometheus"), prometheus_rules_directory=PROMETHEUS_RULES) as stack:
        now_ns = time.time_ns()
        with LokiClient(stack.loki_url) as client:
            push(
                client,
                [
                    line("http.request_stuck", "backfill", now_ns - hours * 3600 * 10**9 - 120 * 10**9, route="/a/")
                    for hours in (8, 0)
                ],
            )
        yield stack


def backfill(stack: Stack, *options: object, rule: str = "route:http_stuck_requests:rate_5m") -> Any:
    servers = ("--loki-url", stack.loki_url, "--prometheus-url", stack.prometheus_url)
    return logpipe("backfill", "--rules", RULES, "--rule", rule, *servers, *options)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--from", "yesterday"), 2, "expected a time such as 2026-11-25T10:00:00Z, or 90m"),
        (("--from", "2026-11-25T10:00:00"), 2, "expected a time such as"),
        (("--from", "5m", "--to", "10m"), 2, "expected the earlier time first"),
        (("--from", "5m", "--label", "eu"), 2, "expected NAME=VALUE"),
        (("--from", "5m", "--rule", "no:such:series"), 2, "no rule records no:such:series"),
        (("--from", "5m", "--rules", "/nowhere"), 2, "/nowhere: no rule records anything"),
        (("--from", "1000h"), 2, "Loki keeps lines for 744 h"),
        (("--from", "5m", "--loki-url", NOBODY), 3, "no connection"),
        (("--from", "5m", "--prometheus-url", NOBODY), 3, "is Prometheus running at this address?"),
        (("--from", "5m", "--prometheus-url", "nine"), 2, "Prometheus's address is 'nine'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(stack: Stack, options: tuple[str, ...], code: int, said: str) -> None:
    """With the exit code that tells usage (2) from a server out of reach (3)."""
    done = backfill(stack, *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_gap_older_than_the_window_becomes_blocks(stack: Stack, tmp_path: Path) -> None:
    """Remote write would be refused: it says so (1); with --blocks promtool makes blocks of it."""
    recent = json.loads(backfill(stack, "--from", "3m", "--json").stdout)["totals"]
    assert recent["written"] == recent["missing"] > 0
    old = ("--from", "485m", "--to", "470m")
    refused = backfill(stack, *old, "--json")
    totals = json.loads(refused.stdout)["totals"]
    assert (refused.returncode, totals["written"]) == (1, 0)
    # All but the marker at the end, which no block can hold.
    assert totals["too_old"] == totals["missing"] - 1 > 3
    kept = backfill(stack, *old, "--json", "--blocks", tmp_path)
    assert (kept.returncode, json.loads(kept.stdout)["totals"]["in_blocks"]) == (0, totals["too_old"])
    assert list(tmp_path.glob("*/meta.json"))


def test_a_rule_of_prometheus_is_filled_as_far_back_as_it_takes_samples(stack: Stack) -> None:
    """What is older is for promtool, and it says so (1); a rule of that name is looked for in Prometheus as well."""
    series = "service:http_queries_per_request:avg_1h"
    # A sample tells Prometheus what time it is: to an empty one nothing is too old.
    Prometheus(stack.prometheus_url).write({(("__name__", "clock"),): {time.time_ns() // 1_000_000: 1.0}})
    assert backfill(stack, "--from", "3m", rule=series).returncode == 0
    done = backfill(stack, "--from", "485m", "--to", "470m", rule=series)
    assert done.returncode == 1
    assert "promtool tsdb create-blocks-from rules" in done.stdout
