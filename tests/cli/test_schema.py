"""`logpipe schema`, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from logging_pkg.schemas import load_registry
from logging_pkg.schemas.examples import example_lines

LOGPIPE = [sys.executable, "-c", "from logging_pkg.cli import main; main()", "schema"]


def run(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
    answer = subprocess.run(
        [*LOGPIPE, *map(str, arguments)],
        capture_output=True,
        input=stdin.decode(),
        text=True,
        timeout=60,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
    )
    assert "Traceback" not in answer.stderr
    return answer.returncode, answer.stdout, answer.stderr


@pytest.fixture
def good(tmp_path: Path) -> Path:
    registry = load_registry()
    path = tmp_path / "good.ndjson"
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in example_lines(registry, "process.sampled")))
    return path


def test_a_valid_file_exits_0(good: Path) -> None:
    """And says how many events there were."""
    assert run("validate", good) == (0, "4 valid events, 0 problems in 1 file\n", "")


def test_an_invalid_line_exits_1_and_is_named(good: Path, tmp_path: Path) -> None:
    """All files are looked at, all problems shown."""
    bad = tmp_path / "bad.ndjson"
    bad.write_bytes(b"oops\n" + good.read_bytes().replace(b'"pid":', b'"pdi":', 1) + b'{"torn')
    code, out, _ = run("validate", bad, good)
    assert code == 1
    assert f"{bad}:1: not JSON" in out
    assert f'{bad}:2: process.sampled: unknown field "pdi" (did you mean "pid"?)' in out
    assert f"{bad}:6: the last line is torn" in out
    assert out.endswith("7 valid events, 5 problems in 2 files\n")


def test_no_event_at_all_exits_1(tmp_path: Path) -> None:
    """Nothing was validated."""
    (tmp_path / "empty").write_bytes(b"")
    assert run("validate", tmp_path / "empty")[:2] == (1, "0 valid events, 0 problems in 1 file\n")


def test_a_file_that_cannot_be_read_exits_1(good: Path, tmp_path: Path) -> None:
    """The others are validated all the same."""
    code, out, _ = run("validate", tmp_path / "missing", good)
    assert code == 1
    assert f"{tmp_path / 'missing'}: cannot be read: No such file or directory" in out
    assert "4 valid events, 1 problem in 2 files" in out


def test_files_directories_and_stdin_alike(good: Path, tmp_path: Path) -> None:
    """As text and as JSON; a line on stdin is named by its number."""
    said = "4 valid events, 0 problems in 1 file\n"
    assert run("validate", tmp_path) == run("validate", "-", stdin=good.read_bytes()) == (0, said, "")
    assert run("validate", stdin=good.read_bytes()) == (0, said, "")
    assert run("validate", "-", stdin=b"oops\n")[1].startswith("stdin:1: not JSON")
    code, out, _ = run("validate", "--json", "-", tmp_path / "missing", stdin=b"[]\n" + good.read_bytes())
    assert (code, json.loads(out)) == (
        1,
        {
            "files": 2,
            "valid_events": 4,
            "problems": [
                {"file": "stdin", "line": 1, "message": "expected a JSON object, found list"},
                {
                    "file": str(tmp_path / "missing"),
                    "line": None,
                    "message": "cannot be read: No such file or directory",
                },
            ],
        },
    )


def test_a_broken_schema_directory_is_one_line(good: Path, tmp_path: Path) -> None:
    """Exit 2, and what to look at."""
    code, out, err = run("validate", good, "--schemas", tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert err == f"logpipe: {tmp_path / 'nowhere'}: no such schema directory; check the setting SCHEMA_DIRECTORIES\n"


def test_wrong_usage_exits_2() -> None:
    """An option that is none."""
    assert run("validate", "--jsn")[0] == 2


def test_list_and_show() -> None:
    """Every event is listed; one is shown with its envelope."""
    registry = load_registry()
    code, out, _ = run("list")
    assert (code, len(out.splitlines())) == (0, len(registry.events))
    code, out, _ = run("show", "http.request_finished")
    assert (code, json.loads(out)) == (0, json.loads(json.dumps(registry.line_schema("http.request_finished"))))
    code, out, err = run("show", "http.request_finishd")
    assert (code, out) == (2, "")
    assert err.startswith('logpipe: unknown event "http.request_finishd" (did you mean "http.request_finished"?)')


def test_the_variable_names_the_directories_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the shipper takes as declared, `logpipe schema` does as well; `--schemas` wins."""
    declaration = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "shop.order_placed", "type": "object",
        "x-since": "1.0.0", "x-schema-version": 1, "properties": {}, "additionalProperties": False,
    }  # fmt: skip
    for name in ("named", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "named" / "shop.order_placed.json").write_text(json.dumps(declaration))
    assert run("show", "shop.order_placed")[0] == 2
    monkeypatch.setenv("LOGPIPE_SCHEMA_DIRECTORIES", str(tmp_path / "named"))
    assert run("show", "shop.order_placed")[0] == 0
    assert run("show", "shop.order_placed", "--schemas", tmp_path / "other")[0] == 2
