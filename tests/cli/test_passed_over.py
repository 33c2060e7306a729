"""Lines of files and stdin that are no events: how many, where the first one is, and why; on stderr, once, at the end.

In: NDJSON with lines of others between events. Out: assertions on both outputs. Never: a word of it on stdout.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import logpipe
from tests.cli.test_hostile_events import COMMANDS, events

_OTHERS = ("no JSON", '{"msg": "of another program"}', "[1]", "")


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two files: events, and three lines behind each of the first file's that are none."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.ndjson").write_text("".join("\n".join([json.dumps(e), *_OTHERS, ""]) for e in events()[:2]))
    (tmp_path / "logs/b.ndjson").write_text("".join(f"{json.dumps(e)}\n" for e in events()[2:]))
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_lines_that_are_no_events_are_told(mixed: Path, command: tuple[str, ...]) -> None:
    """Of files and of stdin, although `trace` reads twice; stdout is what it is without them."""
    text = "".join(path.read_text() for path in sorted((mixed / "logs").iterdir()))
    for options in ((), ("--json",)):
        of_files = logpipe(*command, "-f", "logs", *options, cwd=mixed)
        of_stdin = logpipe(*command, "-f", "-", *options, cwd=mixed, stdin=text)
        told = "logpipe: 6 lines are no events and were passed over; the first, {}:2: not JSON: "
        for done, place in ((of_files, "logs/a.ndjson"), (of_stdin, "stdin")):
            assert done.returncode in {0, 1}
            assert done.stderr.startswith(told.format(place))
            assert done.stderr.count("\n") == 1
        without = logpipe(*command, "-f", "-", *options, cwd=mixed, stdin=_without_others(text))
        assert (without.stdout, without.stderr) == (of_files.stdout, "")


def _without_others(text: str) -> str:
    return "".join(f"{line}\n" for line in text.splitlines() if line not in _OTHERS)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[1]", "expected a JSON object, found list"),
        ('{"msg": "x", "timestamp": "2026-01-31T09:00:00.000000Z"}', "without correlation_id, event, event_id, "),
        (json.dumps(events()[0] | {"timestamp": "yesterday"}), "timestamp is none in UTC, such as 2026-01-31T09:00:"),
        (json.dumps(events()[0] | {"correlation_id": 7}), "correlation_id is no text"),
    ],
)
def test_the_reason_names_what_is_missing(line: str, why: str) -> None:
    """Of one line there is one sentence."""
    done = logpipe("search", "-f", "-", stdin=line)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("logpipe: 1 line is no event and was passed over: stdin:1: ")
    assert why in done.stderr


def test_it_is_told_too_where_nothing_is_found(mixed: Path) -> None:
    """Which may be the reason."""
    done = logpipe("trace", "ffff", "-f", "logs", cwd=mixed)
    assert done.returncode == 1
    assert "6 lines are no events" in done.stderr
    assert "no event with ffff found in these files" in done.stderr


def test_tail_tells_when_it_ends(mixed: Path) -> None:
    """Stdin's end."""
    done = logpipe("tail", "-f", "-", stdin=f"no JSON\n{json.dumps(events()[0])}\n")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stderr.startswith("logpipe: 1 line is no event and was passed over: stdin:1: not JSON")
