"""Memory profiles on demand: a real leak in a process of its own is found by file and line, and tracing ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest

from logging_pkg.instrumentation import memory_profile
from logging_pkg.instrumentation.memory_profile import REQUEST_FILE, ask, profile_memory, short_path, take_request
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.writer.support import events_so_far

ROOT = Path(__file__).resolve().parents[2]
EVENT = "process.memory_profiled"

LEAKY = """
import sys, time
sys.path.insert(0, {root!r})
from logging_pkg import start_heartbeat
kept = []
SECRET = "hunter2"
def leak():
    kept.append(bytearray(100_000))  # LEAK
def churn():
    return [bytearray(50_000) for _ in range(10)]  # freed
start_heartbeat()
print("ready", flush=True)
until = time.monotonic() + 30
while time.monotonic() < until:
    leak(); churn(); time.sleep(0.005)
"""


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_profile, "_seen", None)


def test_a_leak_in_a_running_process_is_found_by_its_line(tmp_path: Path) -> None:
    """The process is asked from outside, answers once, and goes on without tracing."""
    logs, program = tmp_path / "logs", tmp_path / "leaky.py"
    program.write_text(LEAKY.format(root=str(ROOT)))
    line = next(n for n, text in enumerate(program.read_text().splitlines(), 1) if "# LEAK" in text)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    environ |= {
        "LOGPIPE_DIRECTORY": str(logs),
        "LOGPIPE_HEARTBEAT_INTERVAL_S": "0.1",
        "LOGPIPE_PROJECT_ROOTS": str(tmp_path),
    }
    with subprocess.Popen([sys.executable, str(program)], env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            profile = ask(logs, seconds=2, top=5)
            deadline = time.monotonic() + 25
            answers: list[dict[str, Any]] = []
            while not answers and time.monotonic() < deadline:
                time.sleep(0.1)
                answers = [event for event in events_so_far(logs) if event["event"] == EVENT]
            time.sleep(0.5)
            answers = [event for event in events_so_far(logs) if event["event"] == EVENT]
        finally:
            process.kill()
    (found,) = answers
    assert (found["profile"], found["pid"], found["outcome"]) == (profile, process.pid, "finished")
    assert 1 < found["duration_s"] < 10
    first = found["allocations"][0]
    assert first["place"] == f"leaky.py:{line}"
    assert first["size_diff_bytes"] >= first["count_diff"] / 2 * 100_000 > 1_000_000
    assert len(found["allocations"]) <= 5
    assert found["place_count"] >= len(found["allocations"])
    churned = [one for one in found["allocations"] if one["place"] == f"leaky.py:{line + 2}"]
    assert all(one["size_diff_bytes"] < first["size_diff_bytes"] / 2 for one in churned)
    assert "hunter2" not in json.dumps(found)
    assert str(tmp_path) not in json.dumps(found)


def test_tracing_ends_with_the_profile_and_is_not_begun_twice() -> None:
    """A second request while one is under way is refused; afterwards nothing traces."""
    with capture_events() as events:
        thread = threading.Thread(target=profile_memory, args=(0.5,), kwargs={"profile": "a"})
        thread.start()
        deadline = time.monotonic() + 10
        while not tracemalloc.is_tracing() and time.monotonic() < deadline:
            time.sleep(0.001)
        assert profile_memory(0.1, profile="b") is False
        thread.join()
        assert not tracemalloc.is_tracing()
        assert profile_memory(0.1, profile="c") is True
    assert [event["profile"] for event in events] == ["a", "c"]


def test_tracing_of_the_application_goes_on() -> None:
    """What somebody else began is not ours to end."""
    tracemalloc.start()
    try:
        with capture_events() as events:
            profile_memory(0.1)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    assert_event(events, EVENT, outcome="finished")


@pytest.mark.parametrize("is_traced_already", [False, True])
def test_a_forked_child_traces_only_where_the_application_does(is_traced_already: bool) -> None:
    """The profile's thread is not in the child: what it began ends there, and the next profile can begin."""
    if is_traced_already:
        tracemalloc.start()
    try:
        with capture_events():
            thread = threading.Thread(target=profile_memory, args=(1.0,))
            thread.start()
            time.sleep(0.3)
            child = os.fork()
            if not child:
                is_right = tracemalloc.is_tracing() is is_traced_already and not memory_profile._is_running
                os._exit(0 if is_right else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            thread.join()
            assert tracemalloc.is_tracing() is is_traced_already
    finally:
        tracemalloc.stop()


def test_tracing_that_was_stopped_meanwhile_is_a_failed_profile() -> None:
    """No exception, no list of what nobody traced."""
    with capture_events() as events:
        thread = threading.Thread(target=profile_memory, args=(2.0,))
        thread.start()
        time.sleep(0.6)
        tracemalloc.stop()
        thread.join()
    assert_event(events, EVENT, outcome="failed", allocations=[])


def test_a_profile_ends_early_when_tracing_itself_needs_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own memory is bounded; what was found until then is told."""
    monkeypatch.setattr(memory_profile, "MAX_OVERHEAD_BYTES", 0)
    with capture_events() as events:
        profile_memory(60)
    assert_event(events, EVENT, outcome="cut_short")


def request(directory: Path, **changed: Any) -> None:
    values = {"profile": "p", "seconds": 0.1, "top": 3, "pid": None, "expires": time.time() + 60} | changed
    (directory / REQUEST_FILE).write_bytes(orjson.dumps(values))


def wait_for(events: LogEvents, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(events) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(events) == count


def test_a_request_is_taken_once(tmp_path: Path) -> None:
    """Each heartbeat looks; the second time it is known."""
    with capture_events(directory=tmp_path) as events:
        assert take_request() is False
        request(tmp_path)
        assert take_request() is True
        assert take_request() is False
        wait_for(events, 1)
        request(tmp_path, profile="q", seconds=1e9, top=1e9 // 1, expires=0)
        assert take_request() is False
    assert_event(events, EVENT, profile="p")


@pytest.mark.parametrize(
    "changed",
    [{"pid": 1}, {"expires": 0}, {"expires": 4e9}, {"expires": "soon"}, {"seconds": "x"}, {"top": None}],
    ids=str,
)
def test_a_request_that_is_for_others_too_old_or_nonsense_is_left(tmp_path: Path, changed: dict[str, Any]) -> None:
    """No profile and no exception."""
    request(tmp_path, **changed)
    with capture_events(directory=tmp_path) as events:
        assert take_request() is False
    assert events == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff" * 100, b"[" * 10_000])
def test_a_file_that_is_no_request_is_left(tmp_path: Path, content: bytes) -> None:
    """Whatever somebody put there."""
    (tmp_path / REQUEST_FILE).write_bytes(content)
    with capture_events(directory=tmp_path):
        assert take_request() is False


def test_the_setting_switches_it_off(tmp_path: Path) -> None:
    """MEMORY_PROFILES."""
    request(tmp_path)
    with capture_events(directory=tmp_path, memory_profiles=False):
        assert take_request() is False


def test_paths_are_short_and_tell_no_folder_of_the_machine(tmp_path: Path) -> None:
    """The project's and libraries' files relative to where they begin, others by their names."""
    from django.db.models import query

    with capture_events(project_roots=(tmp_path,)):
        short_path.cache_clear()
        assert short_path(str(tmp_path / "shop" / "views.py")) == "shop/views.py"
        assert short_path(query.__file__) == "django/db/models/query.py"
        assert short_path(json.__file__) == "json/__init__.py"
        assert short_path("/home/somebody/else.py") == "else.py"
        assert short_path("<string>") == "<string>"
    short_path.cache_clear()
