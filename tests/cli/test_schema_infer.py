"""`logpipe schema infer`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logging_pkg.schemas import load_registry
from tests.cli.command import logpipe

LINES = "".join(
    json.dumps(
        {
            "time": "2026-01-01T00:00:00Z",
            "level": "info",
            "msg": "Order Placed",
            "durationMs": number / 7,
            "kind": "ab"[number % 2],
        }
    )
    + "\n"
    for number in range(40)
)


def test_a_directory_of_schemas_that_load(tmp_path: Path) -> None:
    """One file per event, named on stdout; what to know on stderr. The directory is one for --schemas."""
    (tmp_path / "app.log").write_text(LINES + "oops\n{}\n")
    done = logpipe("schema", "infer", "app.log", "--out", "drafts/new", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "drafts/new/order.placed.json\n")
    assert done.stderr.splitlines() == [
        '1 events by "msg" in 40 lines; left out: 1 no JSON objects, 1 without a text in "msg"',
        'order.placed: renamed, logged as "Order Placed"; expected <domain>.<noun>_<past verb>',
        "order.placed: the envelope has these, so the event has not: level",
        'order.placed: "time" may be the envelope\'s timestamp',
        'order.placed: "durationMs" might be called duration_ms',
    ]
    event = load_registry([tmp_path / "drafts/new"]).events["order.placed"]
    assert event.accepts({"time": "2026-01-02T00:00:00Z", "durationMs": 0, "kind": "a"})
    assert logpipe("schema", "example", "order.placed", "--schemas", "drafts/new", cwd=tmp_path).returncode == 0


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A draft is worked on by hand; the second run names the file and writes nothing."""
    arguments = ["schema", "infer", "-", "--out", "drafts"]
    assert logpipe(*arguments, stdin=LINES, cwd=tmp_path).returncode == 0
    edited = tmp_path / "drafts/order.placed.json"
    edited.write_text("{}")
    done = logpipe(*arguments, stdin=LINES + '{"msg": "a.first"}\n', cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("logpipe: drafts/order.placed.json: is there already, and is not overwritten")
    assert edited.read_text() == "{}"
    assert [path.name for path in (tmp_path / "drafts").iterdir()] == ["order.placed.json"]


def test_without_a_directory_the_schemas_are_printed(tmp_path: Path) -> None:
    """One JSON document after the other, from stdin."""
    lines = LINES + '{"msg": "sync.run_finished", "a": null}\n'
    done = logpipe("schema", "infer", "--event-field", "msg", stdin=lines, cwd=tmp_path)
    assert done.returncode == 0
    decoder, text, documents = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        document, end = decoder.raw_decode(text)
        documents.append(document)
        text = text[end:].strip()
    assert [document["title"] for document in documents] == ["order.placed", "sync.run_finished"]
    assert documents[0]["properties"]["kind"]["enum"] == ["a", "b"]
    assert "sync.run_finished: declared already" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (["nowhere.log"], "", "logpipe: nowhere.log: No such file or directory"),
        ([], "not json\n", "logpipe: no line is a JSON object; expected one per line (NDJSON)"),
        ([], '{"a": 1}\n', "logpipe: no field names the event: none of event, msg, message, type, name is there"),
        (["--event-field", "kind"], '{"a": 1}\n', 'logpipe: no line has a text in "kind"'),
    ],
)
def test_errors_say_what_to_do(tmp_path: Path, arguments: list[str], stdin: str, said: str) -> None:
    """Exit 1, one line, nothing written."""
    done = logpipe("schema", "infer", *arguments, "--out", "drafts", stdin=stdin, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert not (tmp_path / "drafts").exists()
