"""The context: IDs, units, what is carried over threads, tasks and fork, and what inbound headers are believed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from logging_pkg.context import (
    UNIT_FIELDS,
    ContextThreadPoolExecutor,
    Span,
    activate,
    active,
    carry_context,
    continued,
    current_correlation_id,
    current_headers,
    current_span,
    current_traceparent,
    current_unit,
    new_correlation,
    new_correlation_id,
    new_span_id,
    parse_correlation_id,
    parse_traceparent,
    start_root_span,
    start_span,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_a_correlation_id_is_a_uuid_7_of_now() -> None:
    """Version, variant and milliseconds are where RFC 9562 puts them."""
    before = time.time_ns() // 1_000_000
    value = new_correlation_id()
    after = time.time_ns() // 1_000_000
    parsed = uuid.UUID(value)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= int(value[:12], 16) <= after


def test_correlation_ids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later millisecond is a greater text."""
    clock = iter(range(1_700_000_000_000_000_000, 1_700_000_000_100_000_000, 1_000_000))
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    made = [new_correlation_id() for _ in range(100)]
    assert made == sorted(made)
    assert len(set(made)) == 100


def test_ids_are_distinct_across_threads() -> None:
    """4 threads × 5,000 IDs: none twice."""
    with ThreadPoolExecutor(4) as pool:
        made = [value for part in pool.map(lambda _: [new_span_id() for _ in range(5000)], range(4)) for value in part]
    assert len(set(made)) == 20_000
    assert all(len(value) == 16 for value in made)


def test_ids_are_distinct_after_a_fork() -> None:
    """Children do not repeat each other's IDs, nor the parent's."""
    made = set()
    for _ in range(3):
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.write(writer, (new_span_id() + new_correlation_id()[12:] + current_correlation_id()).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            text = pipe.read()
        assert os.waitpid(child, 0)[1] == 0
        made |= {text[:16], text[16:36], text[36:]}
    made |= {new_span_id(), current_correlation_id()}
    assert len(made) == 11


def test_units_nest_and_link() -> None:
    """A unit below a unit shares its correlation, names it as parent, and keeps the IDs of all that enclose it."""
    with active(start_span("request")) as request:
        with active(start_span("sync")) as sync, active(start_span("api_call")) as call:
            assert current_span() is call
            assert call.unit_ids == {
                "request_id": request.span_id,
                "sync_id": sync.span_id,
                "api_call_id": call.span_id,
            }
            assert (call.parent_span_id, sync.parent_span_id) == (sync.span_id, request.span_id)
            assert call.correlation_id == request.correlation_id
        assert current_span() is request


def test_outside_every_unit_events_share_the_process() -> None:
    """What is emitted at the top has one correlation, and units started there are roots."""
    previous = activate(None)
    try:
        assert current_unit() is None
        assert current_correlation_id() == current_span().correlation_id
        top = start_span("request")
        assert top.parent_span_id is None
        assert top.correlation_id == current_correlation_id()
    finally:
        activate(previous)


def test_two_threads_agree_on_the_span_of_the_process() -> None:
    """Whoever asks first, everybody gets the same."""
    program = (
        "import sys, threading; sys.setswitchinterval(1e-6)\n"
        "from logging_pkg.context import current_correlation_id\n"
        "found, gate = set(), threading.Barrier(16)\n"
        "def ask():\n gate.wait(); found.add(current_correlation_id())\n"
        "threads = [threading.Thread(target=ask) for _ in range(16)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print(len(found))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60).strip() == "1"


@pytest.mark.parametrize(
    ("variable", "correlation", "parent"),
    [(f"00-{TRACE}-{SPAN}-01", TRACE, SPAN), ("garbage\r\n", None, None), (f"00-{'0' * 32}-{SPAN}-01", None, None)],
)
def test_a_program_inherits_the_cause_that_started_it(
    variable: str, correlation: str | None, parent: str | None
) -> None:
    """TRACEPARENT in the environment, where it is a valid one; else a correlation of its own."""
    program = (
        "from logging_pkg.context import current_span, start_span\n"
        "print(current_span().correlation_id, start_span('sync').parent_span_id)"
    )
    environment = {**os.environ, "TRACEPARENT": variable}
    found = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True, timeout=60).split()
    assert found[1] == str(parent)
    assert (found[0] == correlation) if correlation else (uuid.UUID(found[0]).version == 7)


def test_new_correlation_is_a_cause_of_its_own() -> None:
    """Each pass of a worker loop: another correlation, units below it are roots, and the old one comes back."""
    before = current_correlation_id()
    with new_correlation() as first:
        assert current_correlation_id() == first
        assert start_span("sync").parent_span_id is None
    with new_correlation() as second:
        pass
    assert len({before, first, second}) == 3
    assert current_correlation_id() == before


def test_what_was_put_off_goes_on_below_the_span_that_put_it_off() -> None:
    """A request notes its traceparent; the work is of its correlation, and its units name the request as their parent."""
    with active(start_span("request")) as request:
        noted = current_traceparent()
    assert parse_traceparent(noted) == (request.correlation_id, request.span_id)

    before = current_correlation_id()
    with continued(noted) as correlation_id:
        sync = start_span("sync")
        assert current_correlation_id() == correlation_id == sync.correlation_id == request.correlation_id
        assert sync.parent_span_id == request.span_id
        # The request is over: it is the cause, not a unit that encloses this one.
        assert sync.unit_ids == {"sync_id": sync.span_id}
    assert current_correlation_id() == before


def test_work_of_another_cause_can_be_done_in_between() -> None:
    """A worker's pass, a request that was put off, and the pass again; put off once more it keeps its correlation."""
    with new_correlation() as own:
        with continued(f"00-{TRACE}-{SPAN}-01"):
            again = current_traceparent()
        assert current_correlation_id() == own
    with continued(again) as correlation_id:
        assert correlation_id == TRACE
    with pytest.raises(KeyError), continued(f"00-{TRACE}-{SPAN}-01"):
        raise KeyError
    assert current_correlation_id() != TRACE


@pytest.mark.parametrize("noted", ["", "garbage", f"00-{TRACE}-{SPAN}", f"00-{'0' * 32}-{SPAN}-01", "\r\n"])
def test_a_cause_that_cannot_be_read_is_a_new_one(noted: str) -> None:
    """A correlation of its own, whose units are roots; each time another."""
    found = set()
    for _ in range(2):
        with continued(noted) as correlation_id:
            assert uuid.UUID(correlation_id).version == 7
            assert start_span("sync").parent_span_id is None
            found.add(correlation_id)
    assert len(found) == 2


def test_a_traceparent_of_now_can_be_read_everywhere() -> None:
    """In a unit, in a cause, and outside of both: a valid one, of the running correlation."""
    with active(start_span("request")) as request:
        assert current_traceparent() == f"00-{request.correlation_id}-{request.span_id}-01"
        assert current_headers()["traceparent"] == current_traceparent()
    with new_correlation() as correlation_id:
        found = parse_traceparent(current_traceparent())
        assert found is not None
        assert found[0] == correlation_id
    outside = parse_traceparent(current_traceparent())
    assert outside is not None
    assert outside[0] == current_correlation_id()


@pytest.mark.parametrize("unit", ["request", "sync", "api_call"])
def test_a_root_span_is_as_a_span_that_nothing_set_off(unit: str) -> None:
    """Made in one step: a correlation of its own with the time in it, no parent, itself as the only unit."""
    totals = object()
    before = time.time_ns() // 1_000_000
    span = start_root_span(unit, totals)
    parsed = uuid.UUID(span.correlation_id)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= int(span.correlation_id[:12], 16) <= time.time_ns() // 1_000_000
    assert span.parent_span_id is None
    assert span.unit_ids == {UNIT_FIELDS[unit]: span.span_id}
    assert span.totals is totals
    assert span.is_unit
    assert parse_traceparent(f"00-{span.correlation_id}-{span.span_id}-01") == (span.correlation_id, span.span_id)
    with new_correlation():
        made = start_span(unit, totals=totals)
    assert json.loads(b"{" + made.fragment + b"}").keys() == json.loads(b"{" + span.fragment + b"}").keys()


def test_root_spans_have_ids_of_their_own() -> None:
    """Of two thousand neither a span's nor a correlation's comes twice, and none is in the other."""
    spans = [start_root_span("request", None) for _ in range(2000)]
    assert len({span.span_id for span in spans}) == len({span.correlation_id for span in spans}) == 2000
    assert not any(span.span_id in span.correlation_id for span in spans)


def test_a_plain_thread_starts_without_a_unit_and_carry_context_brings_it() -> None:
    """`carry_context` takes the unit along, and leaves the thread's own context as it was."""
    seen: list[Span | None] = []
    with active(start_span("request")) as request:
        carried = carry_context(lambda: seen.append(current_unit()))

        def thread() -> None:
            seen.append(current_unit())
            carried()
            seen.append(current_unit())

        worker = threading.Thread(target=thread)
        worker.start()
        worker.join()
    assert seen == [None, request, None]


def test_carry_context_hands_arguments_results_and_errors_through() -> None:
    """It changes nothing of the call, and restores the context when it fails."""
    with active(start_span("request")):
        carried = carry_context(divmod)
    assert carried(7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        carried(1, 0)
    assert current_unit() is None


def test_the_executor_runs_tasks_in_the_context_of_their_submit() -> None:
    """Two requests share one worker thread: each task sees its own."""
    with ContextThreadPoolExecutor(1) as pool:
        futures = []
        for _ in range(2):
            with active(start_span("request")) as request:
                futures.append((request, pool.submit(current_unit), pool.map(lambda _: current_unit(), [1])))
        for request, submitted, mapped in futures:
            assert submitted.result() is request
            assert list(mapped) == [request]
        assert pool.submit(current_unit).result() is None


async def test_tasks_keep_their_own_unit() -> None:
    """Interleaved tasks, and threads they hop to, never see each other's unit."""

    async def work() -> bool:
        with active(start_span("request")) as mine:
            for _ in range(5):
                await asyncio.sleep(0)
                if current_span() is not mine or await asyncio.to_thread(current_span) is not mine:
                    return False
        return True

    assert all(await asyncio.gather(*(work() for _ in range(20))))


def test_headers_tell_the_correlation_and_parse_back() -> None:
    """What goes out is what the other side can read."""
    with active(start_span("request")) as request:
        headers = current_headers()
    assert parse_traceparent(headers["traceparent"]) == (request.correlation_id, request.span_id)
    assert parse_correlation_id(headers["X-Correlation-ID"]) == request.correlation_id


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (TRACE, TRACE),
        (TRACE.upper(), TRACE),
        (str(uuid.UUID(TRACE)), TRACE),
        ("", None),
        (TRACE[:-1], None),
        (TRACE + "0", None),
        (TRACE + "\n", None),
        (TRACE + "\r\nSet-Cookie: a=b", None),
        (" " + TRACE, None),
        ("0" * 32, None),
        ("0" * 8 + "-0000-0000-0000-" + "0" * 12, None),
        ("-".join([TRACE[:8], TRACE[8:]]), None),
        ("٠١٢٣٤٥٦٧" * 4, None),
        ("g" * 32, None),
        ("a" * 10_000_000, None),
        ("\x00" * 32, None),
        ("{" + str(uuid.UUID(TRACE)) + "}", None),
    ],
)
def test_only_a_whole_correlation_id_is_one(value: str, expected: str | None) -> None:
    """32 hex digits or a UUID, nothing before, after or between."""
    assert parse_correlation_id(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", (TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-00", (TRACE, SPAN)),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"01-{TRACE}-{SPAN}-01", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{SPAN}-01-extra", None),
        (f"00-{TRACE}-{SPAN}-01\n", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"00-{'١' * 32}-{SPAN}-01", None),
        ("00-" * 1_000_000, None),
        ("", None),
    ],
)
def test_only_a_whole_traceparent_is_one(value: str, expected: tuple[str, str] | None) -> None:
    """W3C trace context, version 00, lower case, no zero ID."""
    assert parse_traceparent(value) == expected
