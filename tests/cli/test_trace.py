"""`logpipe trace` from Loki, from a file and from stdin.

In: a sync's events, in a real Loki and in a file. Out: assertions on what is printed. Never: the times of this machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.analysis.waterfall import Row
from logging_pkg.cli.trace import bar_of
from logging_pkg.loki_client import LokiClient
from tests.cli.command import logpipe
from tests.pipeline.events import line, push

_SECOND = 1_000_000_000


def story(now_ns: int) -> list[dict[str, Any]]:
    """A request with a sync of two attempts, and a line of another correlation."""
    correlation = f"{now_ns // 1_000_000:012x}7abc8def01234567890a"
    ids: dict[str, Any] = {"correlation_id": correlation, "request_id": "a" * 16}
    attempt = {"operation": "events.list", "quota_delay_ms": None, "page": None, "duration_ms": 400.0}
    attempt |= {**ids, "sync_id": "b" * 16, "parent_span_id": "b" * 16}
    refused = {"status_code": 429, "reason": "rateLimitExceeded", "is_error": 1, "attempt": 1, "retry_delay_ms": None}
    answered = {"status_code": 200, "reason": None, "is_error": 0, "attempt": 2, "retry_delay_ms": 1000.0}
    request = {"response_time_ms": 2000.0, "method": "POST", "path": "/accounts/3/sync", "status_code": 200}
    sums = {"query_count": 0, "query_time_ms": 0.0, "cache_time_ms": 0.0}
    sync = {"duration_ms": 1900.0, "query_count": 2, "query_time_ms": 100.0, "resource": "events", "kind": "full"}
    made = [
        ("google_api.call_finished", 500, attempt | refused | {"span_id": "c" * 16, "api_call_id": "c" * 16}),
        ("google_api.call_finished", 1900, attempt | answered | {"span_id": "d" * 16, "api_call_id": "d" * 16}),
        (
            "sync.run_finished",
            1950,
            ids | sync | {"span_id": "b" * 16, "sync_id": "b" * 16, "parent_span_id": "a" * 16},
        ),
        ("http.request_finished", 2000, ids | request | sums | {"span_id": "a" * 16, "parent_span_id": None}),
        ("function.call_finished", 2000, {"correlation_id": "f" * 32}),
    ]
    return [line(event, "trace-test", now_ns + at_ms * 1_000_000, **fields) for event, at_ms, fields in made]


@pytest.fixture
def told(tmp_path: Path, loki: LokiClient) -> tuple[str, Path, LokiClient]:
    """The correlation ID, a file, and a Loki that has the same lines."""
    events = story(time.time_ns() - 60 * _SECOND)
    push(loki, events)
    file = tmp_path / "events.ndjson"
    file.write_text("no JSON\n" + "".join(f"{json.dumps(event)}\n" for event in events) + '{"event": "half"}\n')
    return events[0]["correlation_id"], file, loki


def test_the_same_from_loki_a_file_and_stdin(told: tuple[str, Path, LokiClient]) -> None:
    """As a picture and as JSON, byte for byte, found by the whole ID, its beginning, and the ID of any part."""
    correlation, file, loki = told
    for options in ((), ("--json",)):
        expected = logpipe("trace", correlation, "--loki-url", loki.url, *options)
        assert expected.returncode == 0, expected.stderr
        for some_id in (correlation, correlation[:14], "c" * 16, "b" * 16):
            assert logpipe("trace", some_id, "-f", file, *options).stdout == expected.stdout
            assert logpipe("trace", some_id, "-f", file.parent, *options).stdout == expected.stdout
            assert logpipe("trace", some_id, "-f", "-", *options, stdin=file.read_bytes()).stdout == expected.stdout


def test_the_picture(told: tuple[str, Path, LokiClient]) -> None:
    """Bars where and as long as the times say, the wait before the second attempt, the time nothing accounts for."""
    correlation, file, _ = told
    shown = [line.rstrip() for line in logpipe("trace", correlation, "-f", file).stdout.splitlines()]
    assert shown[0] == f"{correlation}   POST /accounts/3/sync  200   2.00 s   95 % explained"
    assert shown[1].count("█") == 40
    (back_off,) = [text for text in shown if "back-off" in text]
    assert (back_off.count("·"), back_off.count("▒")) == (10, 20)
    assert "1.00 s" in back_off
    (refused,) = [text for text in shown if "rateLimitExceeded" in text]
    assert (refused.count("█"), refused.split("  ")[-1]) == (8, "429 · rateLimitExceeded · attempt 1")
    assert "400 ms      20 %" in refused


def test_bars_are_as_long_as_the_times() -> None:
    """What takes less than half a cell is a sliver, and never as wide as what takes two."""
    second = 1_000_000_000
    bars = [
        bar_of(Row("span", 1, "", ((2 * second, 2 * second + length),)), (0, 10 * second), 40)
        for length in (1, second // 20, second // 4, second // 2, 8 * second)
    ]
    assert bars == ["········▏", "········▏", "········█", "········██", "········" + "█" * 32]


def test_json_has_the_tree_and_the_events(told: tuple[str, Path, LokiClient]) -> None:
    """For programs: spans below each other, each with its event, its times and its unexplained time."""
    correlation, file, _ = told
    value = json.loads(logpipe("trace", correlation, "-f", file, "--json").stdout)
    (root,) = value["roots"]
    (sync,) = root["children"]
    assert [child["event"]["attempt"] for child in sync["children"]] == [1, 2]
    assert (root["unexplained_ns"], sync["unexplained_ns"]) == (100_000_000, 0)
    assert value["explained"] == 0.95


def test_ids_that_lead_nowhere(told: tuple[str, Path, LokiClient]) -> None:
    """One line that says what is wrong: exit code 2 for what is no ID, 1 for one that is not there."""
    _, file, _ = told
    for some_id, code, message in (
        ("xyz", 2, "'xyz' is no ID: expected 4 to 32 hexadecimal digits"),
        ("0000ffff", 1, "no event with 0000ffff found in these files"),
    ):
        done = logpipe("trace", some_id, "-f", file)
        assert (done.returncode, done.stderr.splitlines()[-1]) == (code, f"logpipe: {message}")


def test_since_and_show_query(loki: LokiClient) -> None:
    """An ID that tells no time is found as far back as is said; each query is printed with its time."""
    moment_ns, sync = time.time_ns() - 8 * 3600 * _SECOND, f"f{time.time_ns():015x}"[:16]
    events = story(moment_ns)
    for event in events:
        event.update({name: sync for name, value in event.items() if value == "b" * 16})
    push(loki, events)
    recent = logpipe("trace", sync, "--loki-url", loki.url)
    assert (recent.returncode, "--since 3d" in recent.stderr) == (1, True)
    found = logpipe("trace", "--since", "9h", "--show-query", sync, "--loki-url", loki.url)
    assert found.returncode == 0, found.stderr
    assert f'or sync_id="{sync}" or' in found.stdout.splitlines()[0]
    assert f'correlation_id="{events[0]["correlation_id"]}"' in found.stdout.splitlines()[1]
    assert "POST /accounts/3/sync" in found.stdout
    value = json.loads(logpipe("trace", "--since", "9h", "--show-query", "--json", sync, "--loki-url", loki.url).stdout)
    assert len(value["roots"]) == 1


def test_what_it_has_no_use_of_is_not_imported(told: tuple[str, Path, LokiClient]) -> None:
    """Who is looking for a cause doesn't wait for rules, schemas or servers to be imported."""
    correlation, _file, loki = told
    program = (
        "import atexit, sys; from logging_pkg.cli import main; "
        "atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "trace", correlation, "--loki-url", loki.url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert correlation in done.stdout
    loaded = set(done.stderr.split())
    assert "logging_pkg.pipeline.correlation" in loaded
    heavy = {"django", "structlog", "jsonschema_rs", "yaml", "rich.markdown", "rich.progress"}
    heavy |= {"logging_pkg.schemas.loading", "logging_pkg.stack.runner", "logging_pkg.pipeline.logql.parser"}
    assert heavy & loaded == set()
