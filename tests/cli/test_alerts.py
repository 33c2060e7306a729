"""`logpipe alerts`, as typed, over real rulers and a real Alertmanager.

In: alerts that fire and one that is pending. Out: assertions on outputs and exit codes. Never: a command in this process.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tests.cli.command import logpipe
from tests.cli.conftest import CORRELATIONS, Watched, eventually


def test_alerts_of_both_rulers_are_told_once_with_what_alertmanager_knows(watched: Watched) -> None:
    """Critical first; value, since when, runbook and correlation IDs; exit 1."""
    done = eventually(
        lambda: watched.logpipe("alerts", "--json"),
        lambda done: done.stdout.count('"webhook"') >= 2 and CORRELATIONS[0] in done.stdout,
    )
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert [alert["name"] for alert in found] == ["ShopFails", "HeartBeats", "PipelineAlive", "ShopFailsForLong"]
    first = found[0]
    assert (first["state"], first["severity"], first["value"], first["source"]) == ("firing", "critical", 3.0, "Loki")
    assert sorted(first["correlation_ids"]) == CORRELATIONS
    assert first["labels"] == {"service_name": "shop"}
    assert found[1]["source"] == "Prometheus"
    assert (found[3]["state"], found[3]["delivery"]) == ("pending", "")
    # What is sent without IDs and what has them reach Alertmanager side by side; the younger one is held.
    trace = f"logpipe trace {CORRELATIONS[0]}"
    shown = eventually(lambda: watched.logpipe("alerts"), lambda done: trace in done.stdout).stdout
    assert "● firing   critical  ShopFails   for " in shown
    assert "3 requests of shop have failed" in shown
    assert "docs/runbooks/ShopFails.md   logpipe explain ShopFails" in shown
    assert "2 firing, 1 pending   (PipelineAlive fires, as it always should)" in shown


def test_a_silenced_alert_says_by_whom_and_is_no_breach(watched: Watched) -> None:
    """Exit 0 while the critical one is silenced; 1 again afterwards."""
    eventually(lambda: watched.logpipe("alerts"), lambda done: "sent to webhook" in done.stdout)
    now = datetime.now(UTC)
    identifier = watched.post(
        "/api/v2/silences",
        {
            "matchers": [{"name": "alertname", "value": "ShopFails", "isRegex": False}],
            "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "alice", "comment": "known, see #12",
        },
    )["silenceID"]  # fmt: skip
    try:
        done = eventually(lambda: watched.logpipe("alerts"), lambda done: "silenced by" in done.stdout)
        assert f"silenced by alice until {now + timedelta(hours=1):%Y-%m-%d %H:%M} UTC: known, see #12" in done.stdout
        assert done.returncode == 0
    finally:
        watched.delete(f"/api/v2/silence/{identifier}")
    eventually(lambda: watched.logpipe("alerts"), lambda done: done.returncode == 1)


def test_an_alert_that_another_one_covers_says_which(watched: Watched) -> None:
    """By the inhibition rules of the shipped configuration; known to Alertmanager alone."""
    labels = {"service_name": "elsewhere", "env": "test"}
    watched.post_alerts(
        {**labels, "alertname": "RequestErrorsSloPage", "severity": "warning"},
        {**labels, "alertname": "HighErrorRate", "severity": "warning"},
    )
    found = eventually(lambda: watched.logpipe("alerts", "--json"), lambda done: "HighErrorRate" in done.stdout)
    by_name = {alert["name"]: alert for alert in json.loads(found.stdout)}
    assert by_name["HighErrorRate"]["inhibited"] == ["RequestErrorsSloPage"]
    assert by_name["HighErrorRate"]["source"] == "Alertmanager"
    assert by_name["RequestErrorsSloPage"]["inhibited"] == []
    assert "not sent while RequestErrorsSloPage fires" in watched.logpipe("alerts").stdout
    watched.post_alerts(
        {**labels, "alertname": "RequestErrorsSloPage", "severity": "warning"},
        {**labels, "alertname": "HighErrorRate", "severity": "warning"},
        is_over=True,
    )
    eventually(lambda: watched.logpipe("alerts", "--json"), lambda done: "HighErrorRate" not in done.stdout)


def test_a_server_that_does_not_answer_is_told_and_is_exit_code_3(watched: Watched) -> None:
    """What the others say is shown all the same; without any address there is nothing to ask."""
    away = "http://127.0.0.1:1"
    done = eventually(
        lambda: logpipe("alerts", "--prometheus-url", watched.stack.prometheus_url, "--loki-url", away),
        lambda done: "HeartBeats" in done.stdout,
    )
    assert done.returncode == 3
    assert f"logpipe: {away}/prometheus/api/v1/alerts: no connection" in done.stderr
    assert "Alertmanager not asked: no address (--alertmanager-url)" in done.stderr
    nobody = logpipe("alerts", cwd=watched.directory)
    assert (nobody.returncode, nobody.stdout) == (2, "")
    assert "no server known: start them with `logpipe stack up`" in nobody.stderr
    assert logpipe("alerts", "--alertmanager-url", "localhost").returncode == 2
