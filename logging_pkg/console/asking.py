"""Questions to servers, so that any number of open pages asks each of them once every few seconds.

In: questions as functions, each under a key. Out: Answers: there, under way, or what went wrong. Never: a wait
without an end, more questions at once than there are threads, a question asked twice at a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Literal

from logging_pkg.context import unobserved
from logging_pkg.exceptions import LogpipeError
from logging_pkg.loki_client import LokiUnanswered, LokiUnreachable
from logging_pkg.prometheus_client import ServerUnanswered, ServerUnreachable

State = Literal["ready", "waiting", "failed"]
#: Questions asked at once, over all pages of a process: a page needs a few rounds, and a small Loki is not flooded.
WORKERS = 6
#: Questions that may wait for a thread; beyond that a page is told to come again.
MAX_WAITING = 120
#: How long an answer is good for, s. Pages look again every 15 s.
KEEP_S = 10.0
#: How long an old answer may stand in for one that is under way, s.
STALE_S = 120.0
#: How long a server without a connection, or with so many time-outs in a row, is left in peace, s.
REST_S = 5.0
TIMEOUTS_IN_A_ROW = 3
_MAX_KEPT = 1000

_logger = logging.getLogger(__name__)
_clock = time.monotonic


class Unavailable(LogpipeError):  # noqa: N818 - it says what a server is
    """A server has no address, gives no answer, or is left in peace for a few seconds."""


#: What says that a server is not there, and what says that it may be too busy.
_ABSENT: Final = (ServerUnreachable, LokiUnreachable)
_SILENT: Final = (ServerUnanswered, LokiUnanswered)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of a question now.

    Attributes:
        state: `ready`: `value` is it; `waiting`: not yet; `failed`: `problem` says why.
        value: the answer.
        problem: one sentence for people.
        age_s: how old the value is.
    """

    state: State
    value: Any = None
    problem: str = ""
    age_s: float = 0.0


@dataclass(slots=True)
class _Entry:
    future: Future[Any]
    ended: float | None = None
    kept: Any = None
    kept_at: float | None = None


@dataclass(slots=True)
class _Server:
    timeouts: int = 0
    rests_until: float = 0.0
    problem: str = ""


class Asker:
    """Asks, and remembers answers for a while. Safe to share between threads.

    Args:
        workers: questions at once.
        keep_s: how long an answer is good for, s.
    """

    def __init__(self, workers: int = WORKERS, keep_s: float = KEEP_S) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="logpipe-console")
        self._keep_s = keep_s
        self._entries: dict[Hashable, _Entry] = {}
        self._servers: dict[str, _Server] = {}
        self._waiting = 0
        self._lock = Lock()

    def ask(self, server: str, key: Hashable, question: Callable[[], Any]) -> Future[Any]:
        """Ask unless it has just been, or is being asked.

        Args:
            server: whom; questions to a server that does not answer are not asked for a few seconds.
            key: the same for the same question.
            question: what to do; raises a LogpipeError when there is no answer.
        """
        now = _clock()
        with self._lock:
            entry = self._entries.get((server, key))
            if entry is not None and (entry.ended is None or now - entry.ended < self._keep_s):
                return entry.future
            if self._waiting >= MAX_WAITING:
                refused: Future[Any] = Future()
                refused.set_exception(Unavailable("too many questions are waiting already; this page asks again"))
                return refused
            self._waiting += 1
            if len(self._entries) > _MAX_KEPT:
                self._forget(now)
            entry = entry or _Entry(Future())
            entry.ended = None
            entry.future = future = self._pool.submit(self._answer, server, question)
            self._entries[server, key] = entry
        future.add_done_callback(lambda done: self._ended(entry, done))
        return future

    def answer(self, server: str, key: Hashable, future: Future[Any]) -> Answer:
        """What is known of a question: its answer, or the last one while the next is under way."""
        entry = self._entries.get((server, key))
        age_s = 0.0 if entry is None or entry.kept_at is None else _clock() - entry.kept_at
        if not future.done():
            if entry is not None and entry.kept_at is not None and age_s < STALE_S:
                return Answer("ready", entry.kept, age_s=age_s)
            return Answer("waiting")
        try:
            return Answer("ready", future.result(), age_s=age_s)
        except CancelledError:
            return Answer("waiting")
        except LogpipeError as error:
            return Answer("failed", problem=str(error))

    def _answer(self, server: str, question: Callable[[], Any]) -> Any:
        with self._lock:
            self._waiting -= 1
            known = self._servers.setdefault(server, _Server())
            if _clock() < known.rests_until:
                raise Unavailable(known.problem)
        try:
            with unobserved():
                value = question()
        except LogpipeError as error:
            self._failed(known, error)
            raise
        except Exception as error:
            _logger.exception("console: a question failed")
            raise Unavailable(
                f"{server}: {type(error).__name__} in the console itself; the log has its stack"
            ) from error
        known.timeouts = 0
        return value

    def _failed(self, known: _Server, error: LogpipeError) -> None:
        with self._lock:
            known.timeouts = known.timeouts + 1 if isinstance(error, _SILENT) else 0
            if isinstance(error, _ABSENT) or known.timeouts >= TIMEOUTS_IN_A_ROW:
                known.rests_until, known.problem = _clock() + REST_S, str(error)

    def _ended(self, entry: _Entry, done: Future[Any]) -> None:
        with self._lock:
            entry.ended = _clock()
            if not done.cancelled() and done.exception() is None:
                entry.kept, entry.kept_at = done.result(), entry.ended

    def _forget(self, now: float) -> None:
        old = [key for key, entry in self._entries.items() if entry.ended is not None and now - entry.ended > STALE_S]
        # Where all are young, the oldest half goes: a dict keeps the order of asking.
        for key in old or list(self._entries)[: _MAX_KEPT // 2]:
            self._entries.pop(key, None)


def settle(futures: Iterable[Future[Any]], timeout_s: float) -> None:
    """Wait until all are done, or the time is up."""
    wait(set(futures), timeout_s)


_asker: Asker | None = None
_asker_lock = Lock()


def asker() -> Asker:
    """The one of this process, made when first needed: threads do not live through a fork."""
    global _asker
    with _asker_lock:
        if _asker is None:
            _asker = Asker()
        return _asker


def forget() -> None:
    """Forget all answers and what is known of servers; for tests and after a fork."""
    global _asker
    with _asker_lock:
        _asker = None
