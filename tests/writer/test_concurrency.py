"""seq and time stay in step: threads, tasks, signal handlers, fork, gunicorn workers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.writer.support import (
    MESSAGE,
    MemorySink,
    assert_whole,
    by_instance,
    file_writer,
    memory_writer,
    program,
    read_events,
)

ROOT = Path(__file__).resolve().parents[2]


def run(body: str, directory: Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program with a file sink in `directory`."""
    environment = {**os.environ, "LOGPIPE_SINK": "file", "LOGPIPE_DIRECTORY": str(directory), "LOGPIPE_STRICT": "0"}
    return subprocess.run(
        [sys.executable, "-c", program(body)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=True,
    )


def test_threads_leave_no_hole_and_no_disorder(tmp_path: Path) -> None:
    """8 threads × 500 events into one file: every seq once, lines in the order of seq, time never back."""
    writer = file_writer(tmp_path, file_max_bytes=200_000)

    def work() -> None:
        for _ in range(500):
            writer.emit("log.message_recorded", MESSAGE)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert writer.written == writer.last_seq == 4000
    assert_whole(sorted(read_events(tmp_path), key=lambda event: event["seq"]))
    for path in tmp_path.glob("*.ndjson"):
        order = [int(line.split(b'"seq":')[1].split(b",")[0]) for line in path.read_bytes().splitlines()]
        assert order == sorted(order)


async def test_tasks_leave_no_hole() -> None:
    """200 asyncio tasks, some of them in threads."""
    writer, sink = memory_writer()

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        if number % 2:
            await asyncio.to_thread(writer.emit, "log.message_recorded", MESSAGE)
        else:
            writer.emit("log.message_recorded", MESSAGE)

    await asyncio.gather(*(work(number) for number in range(200)))
    assert len(sink.lines) == 200
    assert_whole(sink.events)


def test_an_event_of_a_signal_handler_follows_the_one_it_interrupted() -> None:
    """A handler that runs inside the sink's write emits: its line comes after, whole, with the next seq and time."""
    writer, _ = memory_writer()

    class Interrupted(MemorySink):
        def write(self, line: bytes) -> None:
            if not self.lines:
                os.kill(os.getpid(), signal.SIGUSR1)
                for _ in range(1000):  # the handler runs between two of these at the latest
                    time.monotonic()
            super().write(line)

    sink = Interrupted()
    writer.replace_sink(sink)
    previous = signal.signal(
        signal.SIGUSR1, lambda *_: writer.emit("log.message_recorded", {**MESSAGE, "message": "handler"})
    )
    try:
        writer.emit("log.message_recorded", {**MESSAGE, "message": "interrupted"})
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert [event["message"] for event in sink.events] == ["interrupted", "handler"]
    assert_whole(sink.events)


def test_an_exception_out_of_a_signal_handler_leaves_a_counted_hole() -> None:
    """KeyboardInterrupt during a write reaches the program; the seq is gone and counted, and the writer goes on."""
    writer, _ = memory_writer()

    class Interrupted(MemorySink):
        def write(self, line: bytes) -> None:
            if writer.last_seq == 1:
                raise KeyboardInterrupt
            super().write(line)

    sink = Interrupted()
    writer.replace_sink(sink)
    with pytest.raises(KeyboardInterrupt):
        writer.emit("log.message_recorded", MESSAGE)
    writer.emit("log.message_recorded", MESSAGE)
    assert [event["seq"] for event in sink.events] == [2]
    assert (writer.failed, writer.written) == (1, 1)


def test_signals_at_random_moments_leave_no_hole(tmp_path: Path) -> None:
    """A timer interrupts a busy emitter hundreds of times; both emit."""
    run(
        """
        emit()
        signal.signal(signal.SIGALRM, lambda *_: emit("handler"))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for _ in range(5000):
            emit()
        signal.setitimer(signal.ITIMER_REAL, 0)
        """,
        tmp_path,
    )
    events = read_events(tmp_path)
    assert sum(event["message"] == "handler" for event in events) > 10
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert_whole(events)


def test_forked_children_are_instances_of_their_own(tmp_path: Path) -> None:
    """Children forked while other threads emit: own instance_id, own file, seq from 1; the parent's goes on."""
    run(
        """
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                emit("busy")
        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads: thread.start()
        for _ in range(8):
            child = os.fork()
            if not child:
                for _ in range(20): emit("child")
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            emit("parent")
        stop.set()
        for thread in threads: thread.join()
        """,
        tmp_path,
    )
    instances = by_instance(read_events(tmp_path))
    assert len(instances) == len(list(tmp_path.glob("*.ndjson"))) == 9
    for events in instances.values():
        assert_whole(events)
    children = [events for events in instances.values() if {event["message"] for event in events} == {"child"}]
    assert [len(events) for events in children] == [20] * 8


def test_a_fork_of_a_fork_keeps_the_rule(tmp_path: Path) -> None:
    """Grandchildren too, and a child that emits nothing leaves no file."""
    run(
        """
        emit()
        if not os.fork():
            emit()
            if not os.fork():
                emit()
                os._exit(0)
            os.wait()
            os._exit(0)
        os.wait()
        if not os.fork():
            os._exit(0)
        os.wait()
        emit()
        """,
        tmp_path,
    )
    instances = by_instance(read_events(tmp_path))
    assert sorted(len(events) for events in instances.values()) == [1, 1, 2]
    assert len(list(tmp_path.glob("*.ndjson"))) == 3


APPLICATION = """
import os, threading
from logging_pkg.writer import get_writer

def emit(text):
    get_writer().emit("log.message_recorded",
        {"logger": "tests", "message": text, "source": "s", "function": None})

emit("loaded")  # with --preload: in the master, before the fork

def application(environ, start_response):
    for _ in range(5):
        emit("served")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture(params=[["--preload"], []], ids=["preload", "no-preload"])
def gunicorn(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real gunicorn with two workers of two threads each: its address, and where its events go."""
    (tmp_path / "app.py").write_text(APPLICATION)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    logs = tmp_path / "logs"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "-w2", "--threads=2", "-b", f"127.0.0.1:{port}", *request.param, "app"],
        cwd=tmp_path,
        env={**os.environ, "LOGPIPE_SINK": "file", "LOGPIPE_DIRECTORY": str(logs), "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/", logs
    finally:
        server.terminate()
        server.wait(30)


def test_gunicorn_workers_write_whole_sequences(gunicorn: tuple[str, Path]) -> None:
    """Workers, preloaded or not: each its own instance without a hole, nothing lost, nothing written twice."""
    address, logs = gunicorn
    served: set[bytes] = set()
    requests = 0
    deadline = time.monotonic() + 30
    while (len(served) < 2 or requests < 60) and time.monotonic() < deadline:
        served.add(urllib.request.urlopen(address, timeout=10).read())
        requests += 1
    assert len(served) == 2, "only one worker ever served"
    instances = by_instance(read_events(logs))
    for events in instances.values():
        assert_whole(events)
    messages = [event["message"] for events in instances.values() for event in events]
    assert messages.count("served") == requests * 5
    assert sum("served" in {event["message"] for event in events} for events in instances.values()) == 2
