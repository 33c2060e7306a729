"""`logpipe schema example`, as a user runs it."""

from __future__ import annotations

import json

import pytest

from logging_pkg.schemas import load_registry
from tests.cli.command import logpipe

REGISTRY = load_registry()


def examples(*arguments: str) -> list[dict]:
    done = logpipe("schema", "example", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.removesuffix("\n").split("\n")]


def test_one_event_with_all_its_fields() -> None:
    """What a caller of emit passes: the event's own fields, valid, the same at every call."""
    (fields,) = examples("http.request_finished")
    schema = REGISTRY.events["http.request_finished"]
    assert set(fields) == set(schema.properties)
    assert schema.accepts(fields)
    assert examples("http.request_finished") == [fields]


def test_whole_lines_are_what_a_stream_takes() -> None:
    """Envelope included; --count gives different ones, the fourth with required fields only."""
    lines = examples("sync.run_finished", "--whole-line", "--count", "5", "--seed", "7", "--awkward")
    assert [REGISTRY.problems(line) for line in lines] == [[]] * 5
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
    assert set(lines[3]) - set(REGISTRY.envelope["properties"]) == REGISTRY.events["sync.run_finished"].required
    assert lines != examples("sync.run_finished", "--whole-line", "--count", "5", "--seed", "8", "--awkward")


def test_fields_may_be_chosen() -> None:
    """JSON where the field takes it, text where it is one, `null` where it may be."""
    chosen = ["route=/a=b/", "status_code=503", "user_id=17", "apdex=0.5", "queries=[]", "error_type=null"]
    for fields in examples("http.request_finished", "--count", "2", *(part for c in chosen for part in ("--set", c))):
        named = {name: fields[name] for name in ("route", "status_code", "user_id", "apdex", "queries", "error_type")}
        assert named == {
            "route": "/a=b/", "status_code": 503, "user_id": "17", "apdex": 0.5, "queries": [], "error_type": None,
        }  # fmt: skip


def test_the_time_may_be_chosen() -> None:
    """A receiver refuses lines of last spring."""
    (line,) = examples("process.sampled", "--whole-line", "--start", "2026-11-05T10:00:00.000000Z")
    assert line["timestamp"].startswith("2026-11-05T10:00:00")
    (line,) = examples("process.sampled", "--whole-line", "--set", "env=staging", "--start", "now")
    assert (line["env"], line["timestamp"] > "2026-03-02") == ("staging", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http.request_finishd"], '(did you mean "http.request_finished"?)'),
        (["http.request_finished", "--set", "status_code"], "expected FIELD=VALUE, such as --set method=1"),
        (["http.request_finished", "--set", "stauts_code=1"], "has no such field; did you mean status_code?"),
        (["http.request_finished", "--set", "env=test"], "the envelope's fields come with --whole-line"),
        (["http.request_finished", "--set", "status_code=99"], "--set status_code=99: 99 is less than the minimum of 100"),
        (["http.request_finished", "--set", "outcome=fine"], '--set outcome=fine: "fine" is not one of'),
        (["http.request_finished", "--whole-line", "--start", "today"], "--start: timestamp 'today' is not"),
        (["http.request_finished", "--count", "0"], "--count"),
        ([], "Missing argument"),
    ],
)  # fmt: skip
def test_wrong_usage_exits_2_and_says_what_is_expected(arguments: list[str], said: str) -> None:
    """One line that names the option, the value and what to do."""
    done = logpipe("schema", "example", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
