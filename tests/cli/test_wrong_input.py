"""What a user gets wrong is said in one line, without a traceback and without a wait."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from logging_pkg.cli.exit_codes import exit_code_of
from logging_pkg.exceptions import ConfigurationError, LogpipeError, StackError
from logging_pkg.loki_client import LokiAnswerError, LokiRateLimited, LokiRejected, LokiServerError, LokiUnreachable
from logging_pkg.prometheus_client import ServerError

LOGPIPE = [sys.executable, "-c", "from logging_pkg.cli import main; main()"]


def run(cwd: Path, *arguments: str) -> tuple[int, str]:
    answer = subprocess.run(
        [*LOGPIPE, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, env={**os.environ, "NO_COLOR": "1"}
    )
    assert "Traceback" not in answer.stderr
    return answer.returncode, answer.stderr


@pytest.mark.parametrize("url", ["bogus", "127.0.0.1:3100", "http://", "ftp://loki:3100", "http://loki:port"])
@pytest.mark.parametrize("command", [("ship", "--drain"), ("trace", "0192f0c1")], ids=lambda command: command[0])
def test_what_is_no_address_is_refused_at_once(tmp_path: Path, command: tuple[str, ...], url: str) -> None:
    """Instead of being tried again for ever."""
    code, error = run(tmp_path, *command, "--loki-url", url)
    assert code == 2
    assert f"Loki's address is {url!r}, expected scheme, host and port" in error
    assert not list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Whatever command it is for."""
    (tmp_path / "file").touch()
    code, error = run(tmp_path, "stack", "up", "--directory", "file/stack")
    assert code == 2
    assert error.startswith("logpipe: ")
    assert "file/stack/log: Not a directory" in error


def test_files_that_are_no_text(tmp_path: Path) -> None:
    """Rules are written anew; vector.toml, written by hand, is left alone."""
    (tmp_path / "loki" / "rules").mkdir(parents=True)
    rules, vector = tmp_path / "loki" / "rules" / "recording.yaml", tmp_path / "vector.toml"
    for path in (rules, vector):
        path.write_bytes(b"\xff\xfe\x00")
    assert run(tmp_path, "generate", "--check")[0] == 1
    assert run(tmp_path, "generate")[0] == 0
    assert rules.read_text(encoding="utf-8").startswith("#")
    code, error = run(tmp_path, "vector-config")
    assert code == 2
    assert "vector.toml: cannot be read" in error
    assert vector.read_bytes() == b"\xff\xfe\x00"


@pytest.mark.parametrize("name", ["search", "check", "alerts", "init"])
def test_a_command_imports_no_other_s(name: str) -> None:
    """Help of one command is there without the modules of the rest; an unknown command knows all their names."""
    program = (
        "import sys; from logging_pkg.cli.application import application_for; application_for(sys.argv[1:]); "
        "print([m for m in sys.modules if m.startswith('logging_pkg.cli.')])"
    )
    answer = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, check=True)
    assert f"'logging_pkg.cli.{name}'" in answer.stdout
    others = {"backfill", "generate", "rules", "stack", "compare", "ship"} - {name}
    assert [other for other in others if f"'logging_pkg.cli.{other}'" in answer.stdout] == []


def test_a_misspelt_command_is_told_with_the_nearest(tmp_path: Path) -> None:
    """Although no module was asked for."""
    code, error = run(tmp_path, "trcae")
    assert (code, "Did you mean 'trace'?" in error) == (2, True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (LokiRejected("http://loki", 400, "parse error"), 2),
        (LokiRejected("http://loki", 404, "page not found"), 3),
        (LokiRateLimited("http://loki", 429, "too many"), 3),
        (LokiServerError("http://loki", 503, "not ready"), 3),
        (LokiAnswerError("http://loki", "no JSON", "<html>"), 3),
        (LokiUnreachable("http://loki", "refused"), 3),
        (ServerError("http://prometheus: HTTP 500"), 3),
        (ConfigurationError("no Loki known"), 2),
        (FileNotFoundError(2, "No such file or directory", "x"), 2),
        (StackError("loki: port 3100 is in use"), 1),
        (LogpipeError("no event with 0000ffff found"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_kind_of_error_has_one_exit_code(error: Exception, code: int) -> None:
    """Whichever command it ends: the table of docs/COMMAND_LINE.md."""
    assert exit_code_of(error) == code
