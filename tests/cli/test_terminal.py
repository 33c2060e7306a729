"""What a terminal gets and a pipe does not: colours, progress, completion of what is typed.

In: commands on a pseudo terminal, and a shell's questions for completion. Out: assertions on what is written where.
Never: a real terminal's own behaviour.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from logging_pkg.cli.application import application_for
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.lint.checks import CHECKS
from tests.cli.command import LOGPIPE
from tests.cli.test_hostile_events import events, write
from tests.cli.test_trace import story
from tests.pipeline.events import push

_SCRIPT = Path(sys.executable).with_name("logpipe")
_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3|4|9|10)[0-7](?:;\d+)*m")


def environ(**more: str) -> dict[str, str]:
    left_out = ("LOGPIPE_", "NO_COLOR", "FORCE_COLOR", "TTY_", "COLUMNS")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | {
        "TERM": "xterm-256color",
        **more,
    }


def run(*arguments: object, terminal: str, **more: str) -> tuple[str, str]:
    """Both outputs of a command; the one named `stdout` or `stderr` is a terminal, the other a pipe, for "" both are."""
    screen, end = pty.openpty()
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if terminal:
        streams[terminal] = end
    command = subprocess.Popen(
        [*LOGPIPE, *map(str, arguments)], stdin=subprocess.DEVNULL, env=environ(**more), **streams
    )
    os.close(end)
    shown = b""
    try:
        while part := os.read(screen, 65536):
            shown += part
    except OSError:
        pass  # Linux's word for the end of a terminal
    os.close(screen)
    out, err = command.communicate(timeout=60)
    assert command.returncode in {0, 1}, err
    seen = shown.decode().replace("\r\n", "\n")
    return (seen if terminal == "stdout" else out.decode()), (seen if terminal == "stderr" else err.decode())


@pytest.mark.parametrize(
    "command", [("search",), ("top", "routes"), ("trace", events()[0]["correlation_id"])], ids=" ".join
)
def test_colours_are_for_a_terminal_that_wants_them(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Not with NO_COLOR; in a pipe nothing but text, which is the same."""
    made = events()
    for event in made:
        event |= {"level": "error", "is_error": 1}
    asked = [*command, "-f", write(tmp_path / "events.ndjson", made)]
    coloured, _ = run(*asked, terminal="stdout", COLUMNS="200")
    assert _COLOUR.search(coloured)
    plain, _ = run(*asked, terminal="stdout", COLUMNS="200", NO_COLOR="1")
    assert _COLOUR.search(plain) is None
    piped, _ = run(*asked, terminal="", COLUMNS="200")
    assert "\x1b" not in piped
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == re.sub(r"\x1b\[[\d;]*m", "", plain) == piped


def test_progress_is_for_who_waits_before_a_terminal(loki: LokiClient) -> None:
    """On stderr, so that what is piped on is the same; without a terminal none."""
    made = story(time.time_ns() - 60_000_000_000)
    push(loki, made)
    asked = ["trace", made[0]["correlation_id"][:11], "--loki-url", loki.url, "--json"]
    out, err = run(*asked, terminal="stderr")
    assert "looking through the last hours" in err
    assert "\x1b" not in out
    assert run(*asked, terminal="") == (out, "")


def completed(*words: str) -> set[str]:
    """What bash is told for the last of the words."""
    asked = environ(_LOGPIPE_COMPLETE="complete_bash", COMP_WORDS=" ".join(words), COMP_CWORD=str(len(words) - 1))
    done = subprocess.run([_SCRIPT], env=asked, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_commands_options_and_their_values() -> None:
    """Of every command, although no other is imported when one is run."""
    group: Any = typer.main.get_command(application_for([]))
    assert completed("logpipe", "") == set(group.commands)
    assert completed("logpipe", "tr") == {"trace"}
    assert completed("logpipe", "schema", "va") == {"validate"}
    for name in ("trace", "doctor", "check"):
        options = {option for parameter in group.commands[name].params for option in parameter.opts}
        assert completed("logpipe", name, "--") >= {option for option in options if option.startswith("--")}
    assert completed("logpipe", "top", "r") == {"routes"}
    assert completed("logpipe", "explain", "SlowRou") == {"SlowRoute"}
    assert completed("logpipe", "check", "--explain", "loki/") == {name for name in CHECKS if name.startswith("loki/")}
