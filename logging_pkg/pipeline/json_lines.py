"""Read JSON objects, one per line, from files of any size and any producer.

In: files, directories of `*.ndjson`, stdin. Out: a JsonLine per line, one at a time. Never: a whole file in memory, nor
a line of more than MAX_BYTES.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from logging_pkg.schemas.conventions import LOG_FILE_SUFFIX

#: A longer line is told of and left out; this project's own are at most 64 KiB.
MAX_BYTES: Final = 1024 * 1024
#: The file name that means stdin.
STDIN: Final = Path("-")


@dataclass(frozen=True, slots=True)
class JsonLine:
    """One line: an object, or what is wrong with it."""

    source: str
    number: int
    value: dict[str, Any] | None
    problem: str = ""


def json_lines(files: Iterable[Path], stdin: BinaryIO | None = None) -> Iterator[JsonLine]:
    """Yield every line that is not empty.

    Args:
        files: `-` is stdin; of a directory, its `*.ndjson` in the order of their names.
        stdin: a copy of it, for who reads twice.

    Raises:
        OSError: a file cannot be read.
    """
    for file in files:
        if file == STDIN:
            yield from lines_of(stdin or sys.stdin.buffer, "stdin")
            continue
        for path in log_files([file]):
            with path.open("rb") as stream:
                yield from lines_of(stream, str(path))


def log_files(files: Iterable[Path]) -> list[Path]:
    """The files that are meant: of a directory its `*.ndjson` in the order of their names; any other as it is."""
    return [path for file in files for path in (sorted(file.glob(f"*{LOG_FILE_SUFFIX}")) if file.is_dir() else [file])]


def lines_of(stream: BinaryIO, name: str) -> Iterator[JsonLine]:
    """Yield the lines of one stream.

    Args:
        stream: of bytes.
        name: how messages call it.
    """
    number = 0
    while raw := stream.readline(MAX_BYTES + 1):
        number += 1
        if len(raw) > MAX_BYTES and not raw.endswith(b"\n"):
            yield JsonLine(name, number, None, f"longer than {MAX_BYTES:,} bytes")
            _skip_rest(stream)
        elif not raw.isspace():
            yield _parsed(raw, name, number)


def _skip_rest(stream: BinaryIO) -> None:
    while (raw := stream.readline(MAX_BYTES)) and not raw.endswith(b"\n"):
        pass


def _parsed(raw: bytes, name: str, number: int) -> JsonLine:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return JsonLine(name, number, None, f"not JSON: {error}")
    if not isinstance(value, dict):
        return JsonLine(name, number, None, f"expected a JSON object, found {type(value).__name__}")
    return JsonLine(name, number, value)
