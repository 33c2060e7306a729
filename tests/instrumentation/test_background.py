"""The background thread: one for all tasks, on time, undisturbed by faults, gone when nothing is wanted."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest

from logging_pkg.context import active, current_unit, start_span
from logging_pkg.instrumentation import background
from logging_pkg.testing import capture_events
from logging_pkg.writer import get_writer

pytestmark = pytest.mark.usefixtures("background_alone")


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    assert condition()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(background.THREAD_NAME)]


def test_one_thread_runs_all_tasks_outside_every_unit() -> None:
    """However often they are registered and started; a task sees no unit, whoever started it."""
    seen: dict[str, list[object]] = {"one": [], "two": []}
    with active(start_span("request")):
        for _ in range(3):
            background.every("one", 0.01, lambda: seen["one"].append((threading.get_ident(), current_unit())))
            background.every("two", lambda: 0.01, lambda: seen["two"].append((threading.get_ident(), current_unit())))
            background.start()
    wait_until(lambda: len(seen["one"]) > 3 and len(seen["two"]) > 3)
    assert threads() == [background.THREAD_NAME]
    assert len({*seen["one"], *seen["two"]}) == 1
    assert seen["one"][0][1] is None  # type: ignore[index]


def test_there_is_no_thread_while_nothing_is_wanted() -> None:
    """No task, only such with an interval of 0, or METRICS_ENABLED off."""
    background.start()
    background.every("off", 0, lambda: None)
    assert threads() == []
    with capture_events(enabled=False):
        background.every("on", 0.01, lambda: None)
        assert threads() == []
    background.start()
    assert threads() == [background.THREAD_NAME]
    background.cancel("on")
    background.cancel("no such task")
    assert threads() == []


def test_a_task_registered_after_the_start_is_run() -> None:
    """At once where it asks for that, though the thread sleeps."""
    background.every("seldom", 1000, lambda: None)
    background.start()
    done = threading.Event()
    background.every("now", 1000, done.set, at_once=True)
    assert done.wait(20)


def test_stop_waits_and_start_goes_on() -> None:
    """Nothing runs after `stop` has returned; the tasks stay registered."""
    runs: list[str] = []

    def slowly() -> None:
        runs.append("begun")
        time.sleep(0.05)
        runs.append("done")

    background.every("slow", 0.001, slowly, at_once=True)
    background.start()
    wait_until(lambda: runs)
    background.stop()
    assert threads() == []
    assert runs[-1] == "done"
    count = len(runs)
    time.sleep(0.05)
    assert len(runs) == count
    background.start()
    wait_until(lambda: len(runs) > count)


def test_cancel_waits_for_the_run_under_way() -> None:
    """And leaves the other tasks alone."""
    runs: list[str] = []

    def slowly() -> None:
        runs.append("begun")
        time.sleep(0.05)
        runs.append("done")

    background.every("slow", 0.001, slowly)
    background.every("other", 0.001, lambda: None)
    background.start()
    wait_until(lambda: runs)
    background.cancel("slow")
    assert runs[-1] == "done"
    assert threads() == [background.THREAD_NAME]


def test_a_task_may_cancel_itself() -> None:
    """Without waiting for itself."""
    runs: list[int] = []

    def once() -> None:
        runs.append(1)
        background.cancel("once")

    background.every("once", 0.001, once)
    background.start()
    wait_until(lambda: runs)
    wait_until(lambda: not threads())
    assert runs == [1]


def test_a_fault_is_counted_and_the_others_go_on() -> None:
    """In production a task that fails is run again next time, and costs nobody else a run."""
    runs: list[int] = []
    with capture_events(strict=False):
        background.every("broken", 0.001, lambda: 1 / 0)
        background.every("sound", 0.001, lambda: runs.append(1))
        background.start()
        wait_until(lambda: get_writer().faults >= 2 and len(runs) >= 2)
        background.stop()


def test_a_fault_is_shown_in_strict_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an unhandled exception of the thread, which pytest makes a failure; the thread goes on all the same."""
    shown: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: shown.append(arguments.exc_type))
    with capture_events():
        background.every("broken", 0.001, lambda: 1 / 0)
        background.start()
        wait_until(lambda: len(shown) >= 2)
        background.stop()
        assert get_writer().faults == 0
    assert set(shown) == {ZeroDivisionError}


def test_a_task_that_blocks_keeps_nobody_waiting() -> None:
    """It has a thread of its own, one at a time, and `stop` waits for it."""
    release, begun, runs = threading.Event(), [], []

    def block() -> None:
        begun.append(threading.current_thread().name)
        release.wait(20)

    background.every("blocking", 0.001, block, may_block=True)
    background.every("sound", 0.001, lambda: runs.append(1))
    background.start()
    wait_until(lambda: begun and len(runs) > 20)
    assert begun == [f"{background.THREAD_NAME}: blocking"]
    threading.Timer(0.05, release.set).start()
    background.stop()
    assert threads() == []


def test_a_forked_child_runs_the_tasks_in_a_thread_of_its_own() -> None:
    """What the parent's thread held at the fork holds up nobody; the parent goes on."""
    pids: list[int] = []
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        holding.set()
        release.wait(20)

    background.every("hold", 0.001, hold)
    background.every("tell", 0.001, lambda: pids.append(os.getpid()))
    background.start()
    assert holding.wait(20)
    child = os.fork()
    if not child:
        release.set()
        deadline = time.monotonic() + 20
        while os.getpid() not in pids and time.monotonic() < deadline:
            time.sleep(0.002)
        os._exit(0 if os.getpid() in pids and len(threads()) == 1 else 1)
    release.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    wait_until(lambda: os.getpid() in pids)
