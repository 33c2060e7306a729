"""`logpipe compare release` and `logpipe quota`, as typed.

In: lines in a file and in a real Loki. Out: assertions on outputs and exit codes. Never: a command in this process.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from logging_pkg.loki_client import LokiClient
from tests.cli.command import logpipe
from tests.pipeline.events import line, push

_SECOND = 1_000_000_000


def releases(service: str, now_ns: int) -> list[dict[str, Any]]:
    """Forty requests of each release to two routes; /slow/ takes thrice the time and asks twice as often in 1.1."""
    made = []
    for number in range(40):
        for release, factor in (("1.0", 1), ("1.1", 3)):
            for route in ("/slow/", "/same/"):
                by = factor if route == "/slow/" else 1
                fields = {"response_time_ms": (50.0 + number) * by, "query_count": 2 * by, "is_error": 0}
                at_ns = now_ns - number * _SECOND
                fields |= {"route": route, "release": release, "correlation_id": f"{len(made):032x}"}
                made.append(line("http.request_finished", service, at_ns, **fields))
    return made


def test_compare_names_what_got_worse_and_traces_of_it(loki: LokiClient, tmp_path: Path) -> None:
    """The same from Loki and a file; exit 1 for worse, 0 the other way round, which is better."""
    service = f"compare-{time.time_ns()}"
    lines = releases(service, time.time_ns() - 2 * _SECOND)
    push(loki, lines)
    file = tmp_path / "events.ndjson"
    file.write_text("".join(f"{json.dumps(item)}\n" for item in lines))
    asked = ["compare", "release", "1.0", "1.1", "--service", service]
    found = logpipe(*asked, "-f", file, "--json")
    assert found.returncode == 1
    assert json.loads(logpipe(*asked, "--loki-url", loki.url, "--json").stdout) == json.loads(found.stdout)
    slow, same = json.loads(found.stdout)["Routes"]
    assert (slow["key"], slow["worse"], len(slow["examples"])) == ("/slow/", ["slower", "more queries"], 3)
    assert (same["key"], same["worse"], same["better"], same["examples"]) == ("/same/", [], [], [])
    by_id = {item["correlation_id"]: item for item in lines}
    assert {(by_id[name]["route"], by_id[name]["release"]) for name in slow["examples"]} == {("/slow/", "1.1")}
    shown = logpipe(*asked, "-f", file).stdout
    assert f"logpipe trace {slow['examples'][0]}" in shown
    assert "2 → 6" in shown
    back = logpipe("compare", "release", "1.1", "1.0", "-f", file)
    assert (back.returncode, "faster, fewer queries" in back.stdout) == (0, True)
    nothing = logpipe("compare", "release", "7", "8", "-f", file)
    assert (nothing.returncode, nothing.stdout.splitlines()[0]) == (0, "Routes: no event of either release")


def test_compare_looks_as_far_back_as_it_is_told(tmp_path: Path) -> None:
    """In files too, from their newest event."""
    file = tmp_path / "events.ndjson"
    file.write_text("".join(f"{json.dumps(item)}\n" for item in releases("app", time.time_ns())))
    asked = ["compare", "release", "1.0", "1.1", "-f", file, "--json"]
    for options, count in (((), 40), (("--since", "10s"), 10)):
        routes = json.loads(logpipe(*asked, *options).stdout)["Routes"]
        assert {(route["before"]["count"], route["after"]["count"]) for route in routes} == {(count, count)}


def calls(service: str, now_ns: int, units: int) -> list[dict[str, Any]]:
    """One call a second in the last two minutes, and one yesterday."""
    fields = {"project": "p", "quota_minute_limit": 600, "quota_day_limit": 100_000, "quota_user_minute_limit": 900}
    fields |= {"account_hash": "a" * 32, "quota_units": units, "is_rate_limited": 0, "is_error": 0}
    made = [
        line("google_api.call_finished", service, now_ns - age * _SECOND, quota_day="2026-11-25", **fields)
        for age in range(120)
    ]
    return [*made, line("google_api.call_finished", service, now_ns - 7200 * _SECOND, quota_day="2026-11-24", **fields)]


def test_quota_tells_what_is_used_and_how_long_it_lasts(loki: LokiClient, tmp_path: Path) -> None:
    """Of the newest day only, of the last minute, per user; at the pace of the last hour; the same from Loki."""
    service = f"quota-{time.time_ns()}"
    lines = calls(service, time.time_ns() - _SECOND // 2, 5)
    push(loki, lines)
    file = tmp_path / "events.ndjson"
    file.write_text("".join(f"{json.dumps(item)}\n" for item in lines))
    found = json.loads(logpipe("quota", "--service", service, "-f", file, "--json").stdout)
    assert [(use["quota"], use["used"], use["limit"]) for use in found] == [
        ("day 2026-11-25", 600, 100_000),
        ("last minute", 300, 600),
        (f"last minute, user {'a' * 32}", 300, 900),
    ]
    assert found[0]["left_s"] == (100_000 - 600) / (600 / 3600)
    (day, *_) = json.loads(logpipe("quota", "--service", service, "--loki-url", loki.url, "--json").stdout)
    assert day == found[0]
    shown = logpipe("quota", "-f", file)
    assert (shown.returncode, "50.0 %" in shown.stdout) == (0, True)
    assert "7 days" in shown.stdout


def test_a_quota_nearly_used_up_is_exit_code_1(tmp_path: Path) -> None:
    """From 95 % on, where the alert is; without any call there is nothing to tell."""
    file = tmp_path / "events.ndjson"
    for units, code in ((9, 0), (10, 1)):
        lines = calls("quota", time.time_ns(), units)
        file.write_text("".join(f"{json.dumps(item)}\n" for item in lines))
        assert logpipe("quota", "-f", file).returncode == code
    file.write_text("")
    nothing = logpipe("quota", "-f", file)
    assert (nothing.returncode, nothing.stdout) == (0, "no call to Google in the last 25 hours\n")
