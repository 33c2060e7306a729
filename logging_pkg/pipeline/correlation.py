"""Find in Loki what belongs to one ID, and say what was asked for it.

In: a LokiClient, an ID, the time of a line. Out: events, the queries with their times, what is left out. Never: writes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from logging_pkg.context import UNIT_FIELDS
from logging_pkg.exceptions import InputError, LogpipeError
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.loki_client.paging import Direction
from logging_pkg.pipeline.event_lines import event_of_line
from logging_pkg.schemas.conventions import parse_timestamp

_SECOND: Final = 1_000_000_000
_HOUR: Final = 3600 * _SECOND
#: How much time is looked through at once where an ID does not tell its own.
_PART: Final = _HOUR // 2
#: How much is looked at before and behind a line of a cause that has no end, such as a process.
AROUND_NS: Final = 300 * _SECOND
#: How much of such a cause is looked at where no line is given: its newest part.
_NEWEST_NS: Final = _HOUR
#: Every stream of this pipeline has these labels.
ALL_STREAMS: Final = '{service_name=~".+", event=~".+"}'
_TOO_OLD: Final = (
    "; is it older than 6 h? then give the whole correlation_id, or look further: logpipe trace --since 3d"
)
#: A search of one ID; the longest prefix that is no span ID is 15 digits.
_ID: Final = re.compile(r"[0-9a-f]{4,32}")
SPAN_ID_DIGITS: Final = 16
_CORRELATION_ID_DIGITS: Final = 32
UNIT_IDS: Final = tuple(UNIT_FIELDS.values())


class NoSuchId(LogpipeError):  # noqa: N818 - it says what is the matter
    """A text is no ID, nothing has it, or more than one thing has."""


class WrongId(NoSuchId, InputError):  # noqa: N818 - it says what is the matter
    """A text is no ID, or too short a beginning of one: wherever it is looked for, it must be given otherwise."""


Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A log query and the time it was asked of, ns since 1970."""

    query: str
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class Found:
    """What belongs to an ID.

    Attributes:
        events: in the order of Loki's answers.
        asked: every query, the last of them for the events.
        is_part: whether the cause goes on before or behind the time that was asked of, as that of a process does.
        is_cut: whether there are more events in that time than were asked for.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    is_part: bool = False
    is_cut: bool = False


def search_window(correlation_id: str, now_ns: int, since_ns: int | None = None) -> tuple[int, int]:
    """The time range, ns, in which events of a correlation ID (or a prefix of it) can be.

    The first 12 digits of a UUIDv7 are milliseconds since 1970, so 12 or more digits tell the start. A cause goes on
    for at most 6 h here. A shorter prefix, or an ID that is no UUIDv7, is looked for in the last 6 h, or as far back as
    `since_ns` says.
    """
    latest_ns = now_ns + 60 * _SECOND
    if len(correlation_id) >= 12:
        start_ns = int(correlation_id[:12], 16) * 1_000_000
        if now_ns - 365 * 24 * _HOUR < start_ns <= latest_ns:
            return start_ns - 2 * _SECOND, min(start_ns + 6 * _HOUR, latest_ns)
    return now_ns - (6 * _HOUR if since_ns is None else since_ns), latest_ns


def is_of_unit(event: Mapping[str, Any]) -> bool:
    """Whether an event happened in a request, a sync or an attempt: others share the ID of their process."""
    return any(event.get(name) for name in UNIT_IDS)


def needs_time(event: Mapping[str, Any]) -> bool:
    """Whether a look-up of an event's correlation ID may miss the event unless it is told when that was written."""
    if not is_of_unit(event):
        return True
    moment_ns = parse_timestamp(str(event["timestamp"]))
    start_ns, end_ns = search_window(str(event["correlation_id"]), time.time_ns())
    return not start_ns <= moment_ns < end_ns


def look_up(
    client: LokiClient,
    some_id: str,
    *,
    now_ns: int | None = None,
    at_ns: int | None = None,
    since_ns: int | None = None,
    limit: int | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> Found:
    """All events that share the correlation of an ID, as far as they are of one piece.

    What a process writes outside requests and syncs has one correlation ID as long as the process lives: of that the
    part around `at_ns` is given, or the newest hour.

    Args:
        client: of the Loki to ask.
        some_id: a correlation ID, the beginning of one (4 digits or more), or a request_id, sync_id or api_call_id.
        now_ns: end of the search; the present when None.
        at_ns: when the line was written that led to this ID, ns since 1970, where that is known.
        since_ns: how far back, ns, to look for an ID that does not tell its own time; 6 h when None.
        limit: of events; all when None.
        on_progress: told, after each part of the time that was looked through, how many are and how many there are.

    Raises:
        NoSuchId: the ID is not hexadecimal, nothing was found, or the prefix fits several correlations.
        LokiError: Loki could not be asked.
    """
    some_id = checked(some_id)
    now_ns = time.time_ns() if now_ns is None else now_ns
    found = Found()
    if len(some_id) != _CORRELATION_ID_DIGITS:
        correlations = _correlations(client, some_id, search_window(some_id, now_ns, since_ns), found, on_progress)
        some_id = only_one(some_id, correlations, _TOO_OLD if since_ns is None else " in that time")
    condition = f'correlation_id="{some_id}"'
    start_ns, end_ns = search_window(some_id, now_ns, since_ns)
    found.events, found.is_cut = _read(client, condition, start_ns, end_ns, limit)
    found.asked.append(_asked(condition, start_ns, end_ns))
    if at_ns is not None and (found.is_cut or not start_ns <= at_ns < end_ns):
        _around(client, condition, at_ns, limit, found)
    elif at_ns is None and (found.is_cut or end_ns < now_ns) and not any(map(is_of_unit, found.events)):
        _newest(client, condition, now_ns, limit, found)
    only_one(some_id, {str(event["correlation_id"]) for event in found.events}, "")
    return found


def checked(some_id: str) -> str:
    """The digits of an ID.

    Raises:
        NoSuchId: they are no hexadecimal ones, too few or too many.
    """
    digits = some_id.lower().replace("-", "")
    if _ID.fullmatch(digits) is None:
        raise WrongId(f"{some_id[:40]!r} is no ID: expected 4 to 32 hexadecimal digits")
    return digits


def only_one(some_id: str, correlations: Collection[str], where: str) -> str:
    """The correlation that an ID means.

    Raises:
        NoSuchId: there is none, or more than one; `where` says what was looked through.
    """
    if not correlations:
        raise NoSuchId(f"no event with {some_id} found{where}")
    if len(correlations) > 1:
        shown = ", ".join(sorted(correlations)[:5])
        raise WrongId(f"{some_id} begins {len(correlations)} correlation IDs ({shown} …); give more digits")
    return next(iter(correlations))


def _correlations(
    client: LokiClient, some_id: str, window: tuple[int, int], told: Found, on_progress: Progress
) -> set[str]:
    """The correlations that an ID may mean, looked for from the newest time to the oldest.

    What is no beginning of a correlation ID means one correlation: once it is found, no more is looked for.
    """
    start_ns, end_ns = window
    condition, is_unit = f'correlation_id=~"{some_id}.*"', False
    if len(some_id) == SPAN_ID_DIGITS:
        condition = " or ".join([*(f'{name}="{some_id}"' for name in UNIT_IDS), condition])
        # The time range tells: digits that are no recent time begin no correlation of it.
        is_unit = int(some_id[:12], 16) * 1_000_000 > end_ns or int(some_id[:12], 16) * 1_000_000 < start_ns
    total = -(-(end_ns - start_ns) // _PART)
    found: set[str] = set()
    part_start_ns = end_ns
    for done in range(total):
        part_end_ns = end_ns - done * _PART
        part_start_ns = max(start_ns, part_end_ns - _PART)
        events, _ = _read(client, condition, part_start_ns, part_end_ns, None)
        found |= {str(event["correlation_id"]) for event in events}
        on_progress(done + 1, total)
        if found and is_unit:
            break
    told.asked.append(_asked(condition, part_start_ns, end_ns))
    return found


def _around(client: LokiClient, condition: str, at_ns: int, limit: int | None, found: Found) -> None:
    """The events nearest to a line: those up to it, and those behind it."""
    half = None if limit is None else limit // 2
    start_ns, end_ns = at_ns - AROUND_NS, at_ns + AROUND_NS
    before, is_cut_before = _read(client, condition, start_ns, at_ns + 1, half, "backward")
    behind, is_cut_behind = _read(client, condition, at_ns + 1, end_ns, half)
    found.events, found.is_cut, found.is_part = [*before, *behind], is_cut_before or is_cut_behind, True
    found.asked.append(_asked(condition, start_ns, end_ns))


def _newest(client: LokiClient, condition: str, now_ns: int, limit: int | None, found: Found) -> None:
    """The newest events of a process that still writes; what was found where it does not."""
    start_ns, end_ns = now_ns - _NEWEST_NS, now_ns + 60 * _SECOND
    newest, is_cut = _read(client, condition, start_ns, end_ns, limit, "backward")
    if newest:
        found.events, found.is_cut, found.is_part = newest, is_cut, True
        found.asked.append(_asked(condition, start_ns, end_ns))


def _asked(condition: str, start_ns: int, end_ns: int) -> Asked:
    return Asked(f"{ALL_STREAMS} | {condition}", start_ns, end_ns)


def _read(
    client: LokiClient,
    condition: str,
    start_ns: int,
    end_ns: int,
    limit: int | None,
    direction: Direction = "forward",
) -> tuple[list[dict[str, Any]], bool]:
    """The events of a time range, and whether there are as many as were asked for, so that there may be more."""
    answer = client.query_range(f"{ALL_STREAMS} | {condition}", start_ns, end_ns, limit=limit, direction=direction)
    assert isinstance(answer, Streams)
    events = [event for entry in answer.entries if (event := event_of_line(entry.line)) is not None]
    return events, limit is not None and len(answer.entries) >= limit
