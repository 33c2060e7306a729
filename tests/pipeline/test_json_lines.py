"""Lines of any producer are read one at a time, whatever is wrong with some."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from logging_pkg.pipeline.json_lines import MAX_BYTES, json_lines, lines_of


def test_objects_come_with_their_place_and_the_rest_with_what_is_wrong(tmp_path: Path) -> None:
    """Empty lines aside; a last line without its end is a line."""
    path = tmp_path / "a.log"
    path.write_bytes(b'{"a":1}\n\n[1]\nnope\r\n \t\n{"b":"\xff"}\n{"c":3}')
    assert [(line.number, line.value, line.problem.split(":")[0]) for line in json_lines([path])] == [
        (1, {"a": 1}, ""),
        (3, None, "expected a JSON object, found list"),
        (4, None, "not JSON"),
        (6, None, "not JSON"),
        (7, {"c": 3}, ""),
    ]


def test_a_directory_stands_for_its_event_files(tmp_path: Path) -> None:
    """In the order of their names; other files are not looked at."""
    for name in ("b.ndjson", "a.ndjson", "c.txt"):
        (tmp_path / name).write_text(f'{{"name": "{name}"}}\n')
    assert [line.value for line in json_lines([tmp_path])] == [{"name": "a.ndjson"}, {"name": "b.ndjson"}]


def test_a_line_without_end_is_left_out_and_the_next_one_is_read() -> None:
    """So that no line takes more memory than the limit."""
    long = b'{"a":"' + b"x" * (3 * MAX_BYTES) + b'"}\n'
    first, second = lines_of(io.BytesIO(long + b'{"b":2}\n'), "x")
    assert (first.number, first.problem) == (1, "longer than 1,048,576 bytes")
    assert (second.number, second.value) == (2, {"b": 2})
    fits = b'{"a":"' + b"x" * (MAX_BYTES - 8) + b'"}\n'
    (line,) = lines_of(io.BytesIO(fits), "x")
    assert line.value is not None


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """Not an empty stream."""
    with pytest.raises(OSError, match="nowhere"):
        list(json_lines([tmp_path / "nowhere"]))
