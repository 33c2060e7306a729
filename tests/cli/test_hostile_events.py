"""Events written to deceive who looks: what a terminal obeys, and fields that are missing or of another type.

In: NDJSON files of valid events with fields exchanged. Out: assertions on outputs and exit codes. Never: a traceback.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from logging_pkg.cli.application import application_for
from logging_pkg.cli.escaping import one_line, visible
from tests.cli.command import logpipe
from tests.pipeline.events import line

#: A title, a colour, a carriage return, the second set of control characters, an override of direction, a line feed.
HOSTILE = "/\x1b]0;pwn\x07\x1b[31m\r\x9b2J\u202e\n[/bold]"
_SHOWN = "/\\u001b]0;pwn\\u0007\\u001b[31m\\r\\u009b2J\\u202e\\n[/bold]"
_OBEYED = set("\x1b\x07\r\x9b\u202e")
_CORRELATION = "0192f0c1" + "a" * 24
_KEPT = {"timestamp", "event", "event_id", "correlation_id", "release", "span_id", "parent_span_id"}


def events() -> list[dict[str, Any]]:
    """A request with one of each below it."""
    ids = {"correlation_id": _CORRELATION, "request_id": "a" * 16}
    child = {**ids, "parent_span_id": "a" * 16}
    fields: dict[str, dict[str, Any]] = {
        "http.request_finished": {**ids, "span_id": "a" * 16, "parent_span_id": None, "route": "/a/", "path": "/a/"},
        "sync.run_finished": {**child, "span_id": "b" * 16},
        "google_api.call_finished": {**child, "span_id": "c" * 16},
        "http_client.request_finished": {**child, "span_id": "d" * 16},
        "function.call_finished": {**child, "span_id": "e" * 16},
        "db.n_plus_one_detected": {**ids, "span_id": "a" * 16},
        "log.message_recorded": {**ids, "span_id": "a" * 16},
    }
    now_ns = time.time_ns()
    return [
        line(event, "hostile", now_ns + number * 1_000_000, **made)
        for number, (event, made) in enumerate(fields.items())
    ]


def write(path: Path, made: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(event)}\n" for event in made))
    return path


COMMANDS = (
    ("search",),
    ("trace", _CORRELATION, "--all"),
    *(("top", what) for what in ("routes", "queries", "api", "users", "errors")),
    ("syncs",),
    ("quota",),
    ("compare", "release", "1", "2"),
)


#: From stdin all of them come to an end.
FROM_STDIN = (*COMMANDS, ("tail",))


@pytest.mark.parametrize("command", FROM_STDIN, ids=" ".join)
def test_what_a_terminal_obeys_is_escaped(tmp_path: Path, command: tuple[str, ...]) -> None:
    """In every text of every event, for people and as JSON; a program that reads the JSON gets the text itself."""
    made = events()
    for event in made:
        event.update({name: HOSTILE for name, value in event.items() if isinstance(value, str) and name not in _KEPT})
    file = write(tmp_path / "hostile.ndjson", made)
    for options in ((), ("--json",)):
        done = logpipe(*command, "-f", "-", *options, stdin=file.read_bytes())
        assert done.returncode in {0, 1}, done.stderr
        assert not _OBEYED & set(done.stdout + done.stderr)
        assert done.stdout
    if command == ("search",):
        lines = logpipe("search", "-f", file).stdout.splitlines()
        assert len(lines) == len(made), "a line feed in a text makes no line"
        assert _SHOWN in lines[0]
        first = json.loads(logpipe("search", "-f", file, "--json").stdout.splitlines()[0])
        assert first["path"] == HOSTILE


def test_a_problem_of_validate_names_a_field_escaped(tmp_path: Path) -> None:
    """The message about a field that is not declared has its name."""
    made = events()[0]
    made[HOSTILE] = 1
    done = logpipe("schema", "validate", write(tmp_path / "hostile.ndjson", [made]))
    assert done.returncode == 1
    assert "pwn" in done.stdout
    assert not _OBEYED & set(done.stdout + done.stderr)


def test_what_is_seen_stays_as_it_is() -> None:
    """Letters of any script, joined emoji, and the lines of a text."""
    text = "Grüße 👩\u200d💻 日本語\n\tمرحبا"
    assert visible(text) == text
    assert one_line("a\n\tb") == "a\\n\\tb"


WRONG = (None, "text", -1, 1e308, True, [], {})


@pytest.mark.parametrize("command", FROM_STDIN, ids=" ".join)
def test_texts_as_long_as_a_line_may_be(command: tuple[str, ...]) -> None:
    """One beside the other are shown whole, or cut to a table's width; nothing ends."""
    made = events()
    for event in made:
        event.update({name: "x" * 8_000 for name in ("route", "path", "fingerprint", "message") if name in event})
    done = logpipe(*command, "-f", "-", stdin="".join(f"{json.dumps(event)}\n" for event in made))
    assert done.returncode in {0, 1}, done.stderr
    assert done.stdout


@pytest.mark.parametrize("command", FROM_STDIN, ids=" ".join)
def test_a_field_that_is_missing_or_of_another_type_ends_nothing(command: tuple[str, ...]) -> None:
    """Whichever field of whichever event it is."""
    runner, application = CliRunner(), application_for([command[0]])
    made = events()
    for name in sorted({name for event in made for name in event}):
        broken = [{key: value for key, value in event.items() if key != name} for event in made]
        for number, wrong in enumerate(WRONG):
            broken += [{**event, "event_id": f"{number}", name: wrong} for event in made if name in event]
        for number, event in enumerate(broken):
            if name != "event_id":
                event["event_id"] = f"broken-{number}"
        text = "".join(f"{json.dumps(event)}\n" for event in (*made, *broken))
        done = runner.invoke(application, [*command, "-f", "-"], input=text)
        assert done.exception is None or isinstance(done.exception, SystemExit), (name, done.exception)
