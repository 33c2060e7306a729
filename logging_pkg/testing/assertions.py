"""Assertions on captured events and on files of events.

In: captured events, paths. Out: the matching event, or an AssertionError that shows the nearest miss.
Never: an assertion that holds on nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from logging_pkg.schemas import load_registry
from logging_pkg.testing.streams import StreamProblem, validate_stream

_SHOWN_PROBLEMS = 20


def assert_event(
    events: Iterable[Mapping[str, Any]], event: str, *, count: int | None = None, **fields: Any
) -> Mapping[str, Any]:
    """Assert that an event was emitted with these field values, and return the first such event.

    Args:
        events: what `log_events` captured.
        event: its name.
        count: how many must match exactly; at least one when None.
        fields: expected values; a callable is asked whether it accepts the value.
    """
    captured = list(events)
    named = [entry for entry in captured if entry.get("event") == event]
    matching = [entry for entry in named if not _differences(entry, fields)]
    if matching and (count is None or len(matching) == count):
        return matching[0]
    expected = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    wanted = f"{count} × " if count is not None else ""
    raise AssertionError(
        f"expected {wanted}{event}({expected}), found {len(matching)}\n{_nearest(captured, named, fields)}"
    )


def assert_no_event(events: Iterable[Mapping[str, Any]], event: str, **fields: Any) -> None:
    """Assert that no event with this name and these field values was emitted."""
    found = [entry for entry in events if entry.get("event") == event and not _differences(entry, fields)]
    if found:
        raise AssertionError(f"expected no {event}, found {len(found)}; the first: {dict(found[0])}")


def assert_valid_stream(path: Path | str, schema_directories: Sequence[Path | str] = ()) -> list[dict[str, Any]]:
    """Assert that every line of an NDJSON file is a valid, declared event, and return the events.

    Args:
        path: the file. One without any line is refused: it would prove nothing.
        schema_directories: directories besides the built-in one.
    """
    results = list(validate_stream(Path(path), load_registry(schema_directories)))
    problems = [str(result) for result in results if isinstance(result, StreamProblem)]
    if problems:
        more = f"\n… and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        raise AssertionError("\n".join(problems[:_SHOWN_PROBLEMS]) + more)
    if not results:
        raise AssertionError(f"{path}: there is no event in it")
    return [result for result in results if isinstance(result, dict)]


def _differences(entry: Mapping[str, Any], fields: Mapping[str, Any]) -> list[str]:
    found = []
    for name, expected in fields.items():
        if name not in entry:
            found.append(f"{name} is missing")
        elif callable(expected):
            if not expected(entry[name]):
                found.append(f"{name}={entry[name]!r} is not accepted")
        elif entry[name] != expected:
            found.append(f"{name}={entry[name]!r}, expected {expected!r}")
    return found


def _nearest(captured: list[Mapping[str, Any]], named: list[Mapping[str, Any]], fields: Mapping[str, Any]) -> str:
    if named:
        nearest = min(named, key=lambda entry: len(_differences(entry, fields)))
        return "the nearest has " + ("; ".join(_differences(nearest, fields)) or "all of these values")
    names = sorted({str(entry.get("event")) for entry in captured})
    return "captured: " + (", ".join(names) if names else "nothing")
