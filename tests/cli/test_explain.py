"""`logpipe explain`, as typed: with servers, without, and for a name that no rule has.

In: a project's rules and runbook, alerts of real rulers. Out: assertions on outputs and exit codes. Never: a command in
this process.
"""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import pytest
from rich.console import Console

from logging_pkg.cli.markdown import print_page
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.alert_story import alert_rules, values_now
from logging_pkg.prometheus_client import PrometheusClient
from tests.cli.command import logpipe
from tests.cli.conftest import CORRELATIONS, Watched, eventually
from tests.cli.test_slo import write

ROOT = Path(__file__).resolve().parents[2]


def test_an_alert_that_fires_is_told_from_rule_to_lines(watched: Watched) -> None:
    """File and line, limit, value, the lines its link leads to, their IDs, the runbook; exit 1."""
    done = eventually(
        lambda: watched.logpipe("explain", "ShopFails"), lambda done: "● firing   critical  ShopFails" in done.stdout
    )
    assert done.returncode == 1
    shown = done.stdout
    assert "ShopFails  critical   loki/rules/shop.yaml:5   evaluated by Loki" in shown
    assert "fires when > 2\n" in shown
    assert "  value 3  service_name=shop\n" in shown
    assert "Lines behind it, of the last 1h" in shown
    assert shown.count("shop 00000000000000") == 3
    assert f"logpipe trace {CORRELATIONS[2]}" in shown
    assert "- Roll back." in shown
    found = json.loads(watched.logpipe("explain", "ShopFails", "--json", "-n", "2").stdout)
    assert (found["file"], found["line"], found["limit"]) == ("loki/rules/shop.yaml", 5, {"op": ">", "value": 2.0})
    assert found["values"] == [{"labels": {"service_name": "shop"}, "value": 3.0}]
    assert [event["correlation_id"] for event in found["lines"]] == CORRELATIONS[:0:-1]
    assert 'service_name="shop"' in found["lines_query"]


def test_an_alert_of_prometheus_has_its_value_too(watched: Watched) -> None:
    """Without lines, where the rule links to none, and without a runbook, it says so."""
    done = eventually(lambda: watched.logpipe("explain", "HeartBeats"), lambda done: "● firing" in done.stdout)
    assert done.returncode == 0
    assert "loki/prometheus_rules/beats.yaml:5   evaluated by Prometheus" in done.stdout
    assert "  value 0.0" in done.stdout
    assert "no runbook: the rule names none" in done.stdout
    quiet = watched.logpipe("explain", "ShopFailsOften", "--show-query")
    assert (quiet.returncode, "neither firing nor pending" in quiet.stdout) == (0, True)
    assert "  value 3  service_name=shop" in quiet.stdout


def test_without_servers_what_is_in_files_is_told(watched: Watched, tmp_path: Path) -> None:
    """From the project's directory, else from the package's own rules; it says that nobody was asked."""
    done = logpipe("explain", "ShopFails", cwd=watched.directory)
    assert done.returncode == 0
    assert "More than two requests of an hour have failed." in done.stdout
    assert "Now" not in done.stdout
    assert "the servers were not asked: start `logpipe stack up`, or give --loki-url" in done.stderr
    packaged = logpipe("explain", "SlowRoute", cwd=tmp_path)
    assert packaged.returncode == 0
    assert "fires when > 1,000" in packaged.stdout
    assert "one route has been over 1,000 ms" in packaged.stdout
    away = logpipe("explain", "ShopFails", "--loki-url", "http://127.0.0.1:1", cwd=watched.directory)
    assert (away.returncode, "- Roll back." in away.stdout) == (3, True)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ShopFail", "did you mean ShopFails, ShopFailsOften"),
        ("heartbeats", "did you mean HeartBeats?"),
        ("Xyz", "there are ShopFails, ShopFailsForLong, ShopFailsOften, PipelineAlive, HeartBeats"),
    ],
)
def test_a_name_that_no_rule_has_is_told_with_the_nearest(watched: Watched, name: str, hint: str) -> None:
    """Whatever its case; exit 2."""
    done = logpipe("explain", name, cwd=watched.directory)
    assert done.returncode == 2
    assert done.stderr.startswith(f"logpipe: explain {name}: no rule has this name; {hint}")


def test_every_shipped_alert_has_its_parts(watched: Watched) -> None:
    """A runbook, a link to lines, and a value other than its whole expression; the servers take both queries."""
    rules = alert_rules(ROOT / "loki")
    assert len(rules) > 40
    end_ns = time.time_ns()
    with LokiClient(watched.stack.loki_url) as loki, PrometheusClient(watched.stack.prometheus_url) as prometheus:
        for found in rules:
            assert found.runbook(), found.rule.name
            assert found.lines_query is not None, found.rule.name
            loki.query_range(found.lines_query[0], end_ns - 10**9, end_ns, limit=1)
            assert values_now(found, loki, prometheus) is not None, found.rule.name
            assert found.value_query != found.rule.expr or found.limit is None, found.rule.name


def test_an_objective_s_page_tells_the_burn_rate(watched: Watched) -> None:
    """It compares four of them; the value is that of the first, and says so."""
    labels = {"slo": "request_errors", "service_name": "burns", "env": "test"}
    write(watched, ("slo:burn_rate:avg_1h", labels, 16.0))
    done = watched.logpipe("explain", "RequestErrorsSloPage", "--config", ROOT / "loki")
    assert done.returncode == 0, done.stderr
    assert '  slo:burn_rate:avg_1h{slo="request_errors"}\n' in done.stdout
    assert "  value 16  env=test service_name=burns slo=request_errors\n" in done.stdout


def test_queries_of_a_runbook_stay_whole_on_a_terminal() -> None:
    """They are copied into Explore: no line is broken, none is filled up."""
    query = '{event="http.request_finished"} | json route="route" | route="' + "x" * 150 + '"'
    console = Console(force_terminal=True, width=60, no_color=True, file=io.StringIO())
    print_page(console, f"# Alert\n\n## Diagnosis\n\n1. Look:\n\n```logql\n{query}\n```\n\n2. **Then** act.\n")
    text = console.file.getvalue()
    assert f"\n{query}\n" in re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "**" not in text
    assert "2 " in text
