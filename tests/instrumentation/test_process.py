"""The heartbeat: starts, survives a fork, stops, and tells what logging has done."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest

from logging_pkg import start_heartbeat
from logging_pkg.instrumentation import memory_profile, process
from logging_pkg.instrumentation.background import THREAD_NAME
from logging_pkg.instrumentation.late_work import unattributed
from logging_pkg.instrumentation.process import sample, stop_heartbeat
from logging_pkg.instrumentation.request.watch import RequestWatch
from logging_pkg.testing import LogEvents, capture_events
from logging_pkg.writer import get_writer
from tests.writer.support import by_instance, program, read_events

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.usefixtures("background_alone")


def wait_for(events: LogEvents, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(events) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(events) >= count


def test_mocks_of_an_application_are_neither_called_nor_believed(tmp_path: Path) -> None:
    """Its tests count calls of `open`, and hand out what they like, while a heartbeat comes."""
    places = ("builtins.open", "io.open", "pathlib.Path.open", "pathlib.Path.exists", "os.path.exists", "os.listdir")
    with capture_events(directory=tmp_path, memory_profiles=True), ExitStack() as mocks:
        before = sample(1.0)
        mocked = [mocks.enter_context(mock.patch(place)) for place in places]
        fields = sample(1.0)
        assert memory_profile.take_request() is False
        mocks.close()
    assert [mocked_one.mock_calls for mocked_one in mocked] == [[]] * len(places)
    # What the kernel walks all pages for is not told each time.
    assert before.keys() - {"uss_bytes"} <= fields.keys()
    assert fields["rss_bytes"] > 1_000_000
    assert fields["open_file_count"] > 0


def heartbeats() -> int:
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())


def test_it_beats_at_once_and_again_until_stopped() -> None:
    """The first at the start, then one each interval, from one daemon thread however often it is started."""
    with capture_events(heartbeat_interval_s=0.02) as events:
        for _ in range(3):
            start_heartbeat()
        assert heartbeats() == 1
        wait_for(events, 3)
        stop_heartbeat()
        count = len(events)
        assert heartbeats() == 0
    assert len(events) == count
    assert {event["event"] for event in events} == {"process.sampled"}
    assert {event["interval_s"] for event in events} == {0.02}
    assert events[0]["pid"] == os.getpid()


def test_an_interval_of_nought_is_off() -> None:
    """No thread at all; one that runs ends when the interval becomes 0."""
    with capture_events(heartbeat_interval_s=0):
        start_heartbeat()
        assert heartbeats() == 0
    with capture_events(heartbeat_interval_s=0.01) as events:
        start_heartbeat()
        wait_for(events, 1)
    deadline = time.monotonic() + 20
    while heartbeats() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert heartbeats() == 0


def test_switched_off_altogether_nothing_beats() -> None:
    """METRICS_ENABLED off."""
    with capture_events(heartbeat_interval_s=0.01, enabled=False) as events:
        start_heartbeat()
        assert heartbeats() == 0
    assert events == []


def test_a_sample_tells_the_process_and_its_logging() -> None:
    """Sizes are of this process, counts are the writer's."""
    with capture_events(strict=False) as events:
        writer = get_writer()
        writer.emit("log.message_recorded", {"logger": "l", "message": "m", "source": "s", "function": None})
        writer.emit("no.such_event", {})
        found = sample(15.0)
    assert len(events) == 2
    assert (found["written_count"], found["rejected_count"], found["failed_count"]) == (2, 1, 0)
    assert found["emit_time_us"] > 0
    assert found["queries_unattributed"] == unattributed.query_count
    assert 1_000_000 < found["rss_bytes"] < 100_000_000_000
    assert found["cpu_user_s"] > 0
    assert found["open_file_count"] >= 3
    assert found["thread_count"] == threading.active_count()
    assert found["uptime_s"] >= 0


def test_what_was_used_since_the_last_sample_is_a_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU time of this process between two samples; none in the first, which knows no earlier one."""
    monkeypatch.setattr(process, "_last", None)
    with capture_events():
        assert not {"period_s", "cpu_core_ratio", "cpu_user_used_s"} & set(sample(15.0))
        until = time.process_time() + 0.3
        while time.process_time() < until:
            pass
        found = sample(15.0)
    assert 0.29 <= found["cpu_user_used_s"] + found["cpu_system_used_s"] <= found["period_s"] * 8
    used = (found["cpu_user_used_s"] + found["cpu_system_used_s"]) / found["period_s"]
    assert found["cpu_core_ratio"] == pytest.approx(used, rel=0.02)
    assert found["cpu_limit_ratio"] == pytest.approx(found["cpu_core_ratio"] / found["cpu_limit_cores"], abs=0.001)
    assert 0 < found["cpu_limit_cores"] <= (os.cpu_count() or 1)


def test_a_sample_is_what_its_schema_says(tmp_path: Path) -> None:
    """With everything this system tells, and with the capacity of the workers told."""
    with capture_events(directory=tmp_path, worker_capacity=4) as events:
        sample(15.0)
        found = sample(15.0)
        get_writer().emit("process.sampled", found)
    assert len(events) == 1
    assert (found["worker_capacity_count"], found["worker_busy_count"], found["worker_busy_ratio"]) == (4, 0, 0.0)
    assert found["log_disk_free_bytes"] > 0
    with capture_events(directory=tmp_path):
        assert "worker_busy_ratio" not in sample(15.0)


def test_requests_in_flight_keep_workers_busy() -> None:
    """From the view's beginning to its response."""
    with capture_events(worker_capacity=2):
        watch = RequestWatch("GET", lambda: "/a/")
        watch.started()
        assert sample(15.0)["worker_busy_ratio"] == 0.5
        watch.responded()
        assert sample(15.0)["worker_busy_ratio"] == 0.0
        watch.finish(status=200, response_bytes=0)


def test_the_heartbeat_comes_whatever_else_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in what is told besides is counted; AppDown must not take it for a dead process."""

    def fail() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(process, "connection_fields", fail)
    with capture_events(strict=False, heartbeat_interval_s=0.02) as events:
        before = get_writer().faults
        start_heartbeat()
        wait_for(events, 2)
        stop_heartbeat()
        assert get_writer().faults > before
    assert {event["event"] for event in events} == {"process.sampled"}


def test_collections_are_timed_only_while_it_beats() -> None:
    """The callback is there with the heartbeat, and gone with it."""
    stop_heartbeat()  # another test's, of an application that was set up
    before = len(gc.callbacks)
    with capture_events(heartbeat_interval_s=0.02) as events:
        start_heartbeat()
        assert len(gc.callbacks) == before + 1
        wait_for(events, 2)
        stop_heartbeat()
    assert len(gc.callbacks) == before
    assert all(event["gc_pause_ms"] >= 0 for event in events)


def test_a_forked_child_beats_on_its_own(tmp_path: Path) -> None:
    """Parent and child each go on, under an instance of their own; a stopped heartbeat stays stopped in the child."""
    body = """
    import json, time
    from logging_pkg.instrumentation.process import start_heartbeat, stop_heartbeat
    from logging_pkg.writer import get_writer
    start_heartbeat()
    def beats():
        deadline = time.monotonic() + 20
        while get_writer().written < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
    if not os.fork():
        beats()
        os._exit(0)
    os.wait()
    beats()
    stop_heartbeat()
    if not os.fork():
        os._exit(threading.active_count() - 1)
    print(json.dumps(os.waitstatus_to_exitcode(os.wait()[1])))
    """
    environment = {**os.environ, "LOGPIPE_SINK": "file", "LOGPIPE_DIRECTORY": str(tmp_path)}
    environment["LOGPIPE_HEARTBEAT_INTERVAL_S"] = "0.02"
    output = subprocess.check_output([sys.executable, "-c", program(body)], cwd=ROOT, env=environment, timeout=60)
    assert json.loads(output) == 0
    instances = by_instance(read_events(tmp_path))
    assert len(instances) == 2
    assert len({event["pid"] for events in instances.values() for event in events}) == 2
    for events in instances.values():
        assert len(events) >= 3
        assert {event["event"] for event in events} == {"process.sampled"}
