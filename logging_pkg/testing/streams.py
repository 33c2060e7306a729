"""Validate any NDJSON file against the declared events.

In: a file of lines, a registry. Out: one StreamProblem per line that is wrong. Never: stops at the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from logging_pkg.schemas import Registry


@dataclass(frozen=True, slots=True)
class StreamProblem:
    """One thing wrong with one line; line 0 is the file as a whole."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.message}"


def validate_stream(path: Path, registry: Registry) -> Iterator[StreamProblem | dict[str, Any]]:
    """Yield, per line, the parsed event, or what is wrong with it.

    Args:
        path: an NDJSON file; empty lines are wrong too.
        registry: the declared events.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as lines:
        yield from validate_lines(lines, path, registry)


def validate_lines(lines: Iterable[bytes], path: Path, registry: Registry) -> Iterator[StreamProblem | dict[str, Any]]:
    """The same of lines that are at hand.

    Args:
        lines: each with the newline it ends with.
        path: what problems call them.
        registry: the declared events.
    """
    for number, raw in enumerate(lines, start=1):
        if not raw.endswith(b"\n"):
            yield StreamProblem(path, number, "the last line is torn: it does not end with a newline")
        try:
            event = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            yield StreamProblem(path, number, f"not JSON: {error}")
            continue
        if not isinstance(event, dict):
            yield StreamProblem(path, number, f"expected a JSON object, found {type(event).__name__}")
            continue
        problems = registry.problems(event)
        yield from (StreamProblem(path, number, problem) for problem in problems)
        if not problems:
            yield event
