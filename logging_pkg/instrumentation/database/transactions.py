"""Tell when a Django connection's transactions end, how, and how long they were open.

In: the calls with which Django begins and ends transactions. Out: commits, rollbacks and time of the running unit.
Never: adds a statement or round trip, changes what Django or the driver does; counts a savepoint.

Django has no signal for this, so four methods of each connection are shadowed on the instance. A transaction is open
when the driver says so: SQLite's begins with Django's BEGIN, PostgreSQL's with the first statement of the block, so an
atomic block that asks PostgreSQL nothing is none. The driver knows without asking the server.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from logging_pkg.instrumentation.guard import faults_kept_in
from logging_pkg.instrumentation.totals import current_totals

#: Where a connection keeps what watches its statements; our own connections have False there and are not watched.
WATCH_ATTRIBUTE = "_logging_pkg_watch"
#: PQTRANS_IDLE and PQTRANS_INERROR of libpq, in psycopg 2 and 3 alike.
_IDLE, _IN_ERROR = 0, 3
_clock = time.perf_counter_ns


class Transaction:
    """The state of one connection: at most one transaction is open on it.

    Attributes:
        opened: when the open transaction began, ns; None while there is none.
    """

    __slots__ = ("_connection", "_manual_since", "opened")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.opened: int | None = None
        #: When statements began to open transactions: autocommit was switched off, or the last transaction ended.
        self._manual_since = 0
        self.connected()

    def connected(self) -> None:
        """There is a new connection below: what was open on the last one is gone."""
        self.opened = None
        self._manual_since = _clock()

    def ran(self, started: int) -> None:
        """A statement has run outside autocommit: it may have opened a transaction."""
        if self.opened is None and _is_open(self._connection):
            self.opened = started

    def set_autocommit(self, original: Callable[..., Any], autocommit: bool, *rest: Any, **options: Any) -> Any:
        """Watch the switch: off begins a transaction with SQLite, on commits what is still open."""
        result = original(autocommit, *rest, **options)
        with faults_kept_in():
            if autocommit:
                self._ended(committed=True)
            else:
                self._manual_since = _clock()
                self.ran(self._manual_since)
        return result

    def commit(self, original: Callable[[], Any]) -> Any:
        """Watch a commit. One that fails leaves the transaction open, for the rollback or close that follows."""
        committed = True
        with faults_kept_in():
            self._ran_unseen()
            committed = not _is_broken(self._connection)
        result = original()
        with faults_kept_in():
            self._ended(committed=committed)
        return result

    def rollback(self, original: Callable[[], Any]) -> Any:
        """Watch a rollback. Where it fails the connection is lost, and the transaction with it."""
        with faults_kept_in():
            self._ran_unseen()
        return self.close(original)

    def close(self, original: Callable[[], Any]) -> Any:
        """Watch the end of the connection, which is the end of its transaction."""
        try:
            return original()
        finally:
            with faults_kept_in():
                self._ended(committed=False)

    def _ran_unseen(self) -> None:
        """Statements of the driver's own cursors pass by `ran`."""
        if self.opened is None and not self._connection.autocommit:
            self.ran(self._manual_since)

    def _ended(self, *, committed: bool) -> None:
        opened, self.opened = self.opened, None
        self._manual_since = now = _clock()
        if opened is None:
            return
        totals = current_totals()
        if totals is not None:
            totals.add_transaction(
                self._connection.alias, self._connection.vendor, committed=committed, nanoseconds=now - opened
            )


def watch_transactions(connection: Any) -> Transaction:
    """Shadow a connection's four methods, and return what the watcher of its statements tells them to."""
    transaction = Transaction(connection)
    for name, watched in (
        ("set_autocommit", transaction.set_autocommit),
        ("_commit", transaction.commit),
        ("_rollback", transaction.rollback),
        ("_close", transaction.close),
    ):
        connection.__dict__[name] = _shadow(connection, name, watched)
    return transaction


def _shadow(connection: Any, name: str, watched: Callable[..., Any]) -> Callable[..., Any]:
    """The method of this name, watched. Whose it is is looked up at each call, as Python does: classes get patched."""
    shadowed = connection.__dict__.get(name)

    def call(*args: Any, **kwargs: Any) -> Any:
        return watched(_method(connection, name) if shadowed is None else shadowed, *args, **kwargs)

    return call


def _method(connection: Any, name: str) -> Callable[..., Any]:
    """What `connection.<name>` would be were it not shadowed; a mock put into the class is no descriptor."""
    kind = type(connection)
    found = next(base.__dict__[name] for base in kind.__mro__ if name in base.__dict__)
    bind = getattr(type(found), "__get__", None)
    method: Callable[..., Any] = found if bind is None else bind(found, connection, kind)
    return method


def _is_open(connection: Any) -> bool:
    """Whether the driver has a transaction open; taken for granted with a driver that does not tell."""
    raw = connection.connection
    known = getattr(raw, "in_transaction", None)
    if isinstance(known, bool):
        return known
    return bool(_status(raw) != _IDLE)


def _is_broken(connection: Any) -> bool:
    """Whether a statement of the transaction has failed, so that PostgreSQL answers a COMMIT with a rollback."""
    return bool(_status(connection.connection) == _IN_ERROR)


def _status(raw: Any) -> Any:
    return getattr(getattr(raw, "info", None), "transaction_status", None)
