"""`logpipe schema coverage`, as a user runs it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from logging_pkg.loki_client import Entry, LokiClient, Stream
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.schemas.examples import example_lines
from tests.cli.command import logpipe
from tests.pipeline.schema_diff.project import write_project

if TYPE_CHECKING:
    from logging_pkg.stack import Stack

REGISTRY = load_registry()


def stream(*events: str, count: int = 4) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for event in events for line in example_lines(REGISTRY, event, count))


def test_a_file_is_shown_as_a_table_with_what_is_missing(tmp_path: Path) -> None:
    """A row per event, gaps below those that came, sums at the end; other lines are counted."""
    (tmp_path / "run.ndjson").write_bytes(
        stream("sync.run_finished", "process.sampled") + b'oops\n{"event":"a.b"}\n{}\n'
    )
    done = logpipe("schema", "coverage", "run.ndjson", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row.split()[0]: row.split()[1:] for row in done.stdout.splitlines() if row.strip()}
    assert rows["sync.run_finished"][0] == rows["process.sampled"][0] == "4"
    assert rows["user.action_recorded"][0] == "0"
    assert f"of events (2/{len(REGISTRY.events)})" in done.stdout
    assert done.stdout.endswith("8 lines, 1 no JSON objects, 1 of undeclared a.b, 1 of undeclared (no event name)\n")


def test_gaps_are_named(tmp_path: Path) -> None:
    """Fields never there or only null, options, metrics without a value."""
    (line,) = example_lines(REGISTRY, "google_api.call_finished", 1, first=0)
    line |= {"item_count": None, "status_code": None}
    done = logpipe("schema", "coverage", "--events", "google*", stdin=orjson.dumps(line) + b"\n", cwd=tmp_path)
    assert "\n  never: part_count, part_error_count, " in done.stdout
    assert "\n  only null: " in done.stdout
    assert '\n  outcome never: "unsent", "unknown"\n' in done.stdout
    assert "\n  metrics without a value: google_api_items\n" in done.stdout
    assert done.stdout.count("_api.call_finished  ") == 1


@pytest.mark.parametrize(("percent", "code"), [("50", 0), ("50.1", 1), ("100", 1), ("0", 0)])
def test_fail_under_is_of_events(tmp_path: Path, percent: str, code: int) -> None:
    """Exit 1 below it, and both numbers are said."""
    arguments = ["schema", "coverage", "--events", "sync.*", "--fail-under", percent]
    done = logpipe(*arguments, stdin=stream("sync.run_finished"), cwd=tmp_path)
    assert done.returncode == code
    if code:
        assert done.stderr == f"logpipe: 50.0 % of events seen, --fail-under asks for {percent} %\n"


def test_one_json_object_for_programs(tmp_path: Path) -> None:
    """The same facts, and readers in the dark with their places."""
    project = write_project(tmp_path)
    (project / "loki/rules/late.yaml").write_text(
        "groups:\n- name: g\n  rules:\n  - alert: Late\n"
        '    expr: sum(count_over_time({event="sync.run_finished"} | json outcome="outcome" | outcome="failed" [5m])) > 1\n'
    )
    (project / "logs").mkdir()
    (project / "logs" / "a.ndjson").write_bytes(stream("sync.run_finished", count=2))
    done = logpipe("schema", "coverage", "logs", "--json", cwd=project)
    value = json.loads(done.stdout)
    assert (value["lines"], value["covered"]["events"]["seen"]) == (2, 1)
    assert "failed" in value["events"]["sync.run_finished"]["options_never"]["outcome"]
    (late,) = [dark for dark in value["in_the_dark"] if dark["name"] == "Late"]
    assert (late["path"], late["line"], late["lacks"]) == (
        "loki/rules/late.yaml",
        5,
        ['outcome "failed" of sync.run_finished'],
    )
    assert "  loki/rules/late.yaml:5  alert Late: outcome" in logpipe("schema", "coverage", "logs", cwd=project).stdout


def test_of_loki_the_last_hour(own_loki_server: Stack, tmp_path: Path) -> None:
    """Lines in any stream of the range, however many answers they take; older ones are not looked at."""
    service = f"coverage-{time.time_ns()}"
    for event, age in (("cache.warmed_keys_read", 10), ("logging.file_deleted", 120)):
        lines = example_lines(REGISTRY, event, 4, start=datetime.now(UTC) - timedelta(minutes=age))
        entries = [Entry(parse_timestamp(line["timestamp"]), json.dumps(line)) for line in lines]
        with LokiClient(own_loki_server.loki_url) as loki:
            loki.push([Stream({"service_name": service, "env": "test", "event": event}, entries)])
    for since in (["--since", "1h"], []):
        done = logpipe("schema", "coverage", "--loki-url", own_loki_server.loki_url, *since, "--json", cwd=tmp_path)
        events = json.loads(done.stdout)["events"]
        assert events["cache.warmed_keys_read"]["lines"] == 4
    done = logpipe(
        "schema", "coverage", "--loki-url", own_loki_server.loki_url, "--since", "1m", "--json", cwd=tmp_path
    )
    assert json.loads(done.stdout)["events"]["logging.file_deleted"]["lines"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--since", "soon"], 2, "--since soon: expected a duration such as 30m, 1h or 2d"),
        (["x.ndjson", "--since", "1h"], 2, "FILE and --since: either files or Loki"),
        (["--events", "nothing.*"], 2, "--events nothing.*: no declared event has such a name"),
        (["--fail-under", "101"], 2, "--fail-under"),
        (["nowhere.ndjson"], 2, "logpipe: nowhere.ndjson: No such file or directory"),
        (["--loki-url", "bogus"], 2, "Loki's address is 'bogus'"),
    ],
)
def test_wrong_usage_is_told_from_failure(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """2 for the command line and for a file that is not there."""
    done = logpipe("schema", "coverage", *arguments, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
