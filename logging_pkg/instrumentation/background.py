"""What has to be done every few seconds, request or no request: one daemon thread per process for all of it.

In: named tasks and their intervals. Out: their calls. Never: keeps a process alive, lets one task's fault or slowness
stop another, runs while nothing is wanted of it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from logging_pkg import conf
from logging_pkg.context import activate
from logging_pkg.writer import get_writer

THREAD_NAME = "logging_pkg background"
#: How long `stop` and `cancel` wait for a run that is under way.
STOP_TIMEOUT_S = 5.0
#: Changed settings (an interval that has become 0, above all) are noticed within this.
_LONGEST_SLEEP_S = 15.0

_clock = time.monotonic


class _Task:
    """One thing to do again and again."""

    def __init__(
        self, name: str, interval_s: Callable[[], float], run: Callable[[], None], *, at_once: bool, may_block: bool
    ) -> None:
        self.name = name
        self.interval_s = interval_s
        self.is_cancelled = False
        self._run = run
        self._at_once = at_once
        self._may_block = may_block
        self.rearm()

    def rearm(self) -> None:
        """Begin anew: after a stop, and in a forked child."""
        self.due = _clock() + (0.0 if self._at_once else self.interval_s())
        self._running = threading.RLock()
        self._helper: threading.Thread | None = None

    def begin(self) -> None:
        """Run it here, or in a thread of its own where it may block."""
        if not self._may_block:
            self._call()
        elif self._helper is None or not self._helper.is_alive():
            self._helper = threading.Thread(target=self._call, name=f"{THREAD_NAME}: {self.name}", daemon=True)
            self._helper.start()
        # Late runs are not made up for: after a pause (a container that was stopped) there is one.
        self.due = _clock() + self.interval_s()

    def wait(self) -> None:
        """Return once no run is under way, but for one in this very thread."""
        if self._running.acquire(timeout=STOP_TIMEOUT_S):
            self._running.release()

    def _call(self) -> None:
        activate(None)
        with self._running:
            if self.is_cancelled:
                return
            try:
                self._run()
            except Exception as error:
                if conf.settings().strict:
                    # As an unhandled exception of the thread, which goes on: printed, and a failure under pytest.
                    arguments = (type(error), error, error.__traceback__, threading.current_thread())
                    threading.excepthook(threading.ExceptHookArgs(arguments))
                else:
                    get_writer().faults += 1


_lock = threading.Lock()
_tasks: dict[str, _Task] = {}
_thread: threading.Thread | None = None
_wake = threading.Event()
_is_started = False


def every(
    name: str,
    interval_s: float | Callable[[], float],
    task: Callable[[], None],
    *,
    at_once: bool = False,
    may_block: bool = False,
) -> None:
    """Have a task run again and again once `start` is called. A name that is known already is left as it is.

    Args:
        name: of the task, for `cancel`.
        interval_s: seconds between two runs, or what tells them, asked each time; with 0 it is not run.
        task: what to run, outside every unit of work. Its exceptions are counted as faults; in strict mode they are
            reported as an unhandled exception of the thread.
        at_once: whether the first run is at the start, not an interval later.
        may_block: whether it may wait for a network or a database: each run then has a thread of its own and is left
            out while the last one is not over, so that the others stay on time. What it opens it has to close
            (`django.db.connections.close_all()`).
    """
    tell = interval_s if callable(interval_s) else lambda: interval_s
    with _lock:
        if name not in _tasks:
            _tasks[name] = _Task(name, tell, task, at_once=at_once, may_block=may_block)
        if _is_started:
            _start()


def cancel(name: str) -> None:
    """Run a task no more, and wait for a run that is under way. An unknown name is no error."""
    with _lock:
        task = _tasks.pop(name, None)
        _wake.set()
        thread = None if _is_any_wanted() else _thread
    if task is not None:
        task.is_cancelled = True
        task.wait()
    _join(thread)


def start() -> None:
    """Start the thread where METRICS_ENABLED is on and a task is wanted. Idempotent; a forked child starts its own."""
    global _is_started
    with _lock:
        _is_started = True
        _start()


def stop() -> None:
    """Stop the thread and wait for what is running. The tasks stay, for another `start`."""
    global _thread, _is_started
    with _lock:
        _is_started = False
        thread, _thread = _thread, None
        tasks = list(_tasks.values())
        _wake.set()
    _join(thread)
    for task in tasks:
        task.wait()


def is_running() -> bool:
    """Whether the thread is there."""
    return _thread is not None and _thread.is_alive()


def _start() -> None:
    """With the lock held: start the thread, or have it look at its tasks anew."""
    global _thread, _wake
    if not conf.settings().enabled or not _is_any_wanted():
        return
    if is_running():
        _wake.set()
        return
    for task in _tasks.values():
        task.rearm()
    _wake = threading.Event()
    _thread = threading.Thread(target=_work, name=THREAD_NAME, daemon=True)
    _thread.start()


def _is_any_wanted() -> bool:
    return any(task.interval_s() > 0 for task in _tasks.values())


def _join(thread: threading.Thread | None) -> None:
    if thread is not None and thread is not threading.current_thread():
        thread.join(STOP_TIMEOUT_S)


def _work() -> None:
    global _thread
    wake = _wake
    while True:
        with _lock:
            if _thread is not threading.current_thread():
                return  # stopped, and perhaps another one started
            wake.clear()
            tasks = [task for task in _tasks.values() if task.interval_s() > 0]
            if not tasks or not conf.settings().enabled:
                _thread = None
                return
        for task in tasks:
            if task.due <= _clock():
                task.begin()
        wake.wait(max(0.0, min(_LONGEST_SLEEP_S, *(task.due - _clock() for task in tasks))))


def _after_fork() -> None:
    """Threads do not survive a fork, and what they held is held for ever: start anew where one was wanted."""
    global _thread, _lock, _wake
    _thread, _lock, _wake = None, threading.Lock(), threading.Event()
    for task in _tasks.values():
        task.rearm()
    if _is_started:
        start()


os.register_at_fork(after_in_child=_after_fork)
