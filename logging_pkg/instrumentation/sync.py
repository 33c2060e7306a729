"""Watch one sync run: `with sync_run(...) as run:`.

In: what the sync engine reports while it works. Out: `sync.run_finished`. Never: swallows the engine's exception.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from logging_pkg.context import active, current_span, start_span
from logging_pkg.events.stacks import error_type_of
from logging_pkg.instrumentation.database.findings import report_n_plus_one
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.totals import Totals

Kind = Literal["full", "incremental"]


class SyncRun:
    """What one run has done so far. `kind` may change while it runs (an incremental run may have to start over)."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self._counts = dict.fromkeys(("page", "created", "updated", "deleted", "unchanged"), 0)
        self._token_expired = False

    def page(self) -> None:
        """One more page was fetched."""
        self._counts["page"] += 1

    def created(self, count: int) -> None:
        """So many rows were created."""
        self._counts["created"] += count

    def updated(self, count: int) -> None:
        """So many rows were updated."""
        self._counts["updated"] += count

    def deleted(self, count: int) -> None:
        """So many rows were deleted."""
        self._counts["deleted"] += count

    def unchanged(self, count: int) -> None:
        """So many items changed nothing."""
        self._counts["unchanged"] += count

    def sync_token_expired(self) -> None:
        """The server answered 410: everything is fetched again, and the run is a full one."""
        self._token_expired = True
        self.kind = "full"

    def fields(self) -> dict[str, int]:
        """The counts as event fields."""
        return {f"{name}_count": count for name, count in self._counts.items()} | {
            "sync_token_expired": int(self._token_expired)
        }


@contextmanager
def sync_run(
    *,
    resource: Literal["calendar_list", "events"],
    kind: Kind,
    trigger: Literal["page", "command", "worker", "push"],
    account: object,
    calendar: object | None = None,
) -> Iterator[SyncRun]:
    """Watch a block as one sync run, a unit of its own below the current one.

    Args:
        resource: what is synced.
        kind: full or incremental.
        trigger: what set it off.
        account: identifies the Google account; hashed.
        calendar: identifies the calendar, None for the list of calendars; hashed.
    """
    totals = Totals(parent=current_span().totals)
    span = start_span("sync", totals=totals)
    run = SyncRun(kind)
    failure: BaseException | None = None
    started = time.perf_counter_ns()
    try:
        with active(span):
            yield run
    except BaseException as error:
        failure = error
        raise
    finally:
        with faults_kept_in():
            report_n_plus_one(totals, span)
            emit_safely(
                "sync.run_finished",
                {
                    "resource": resource,
                    "kind": run.kind,
                    "trigger": trigger,
                    "outcome": "failed" if failure else "ok",
                    "is_success": int(failure is None),
                    "duration_ms": milliseconds(time.perf_counter_ns() - started),
                    "account_hash": account_hash_of(account),
                    "calendar_hash": account_hash_of(calendar) if calendar is not None else None,
                    **run.fields(),
                    "api_call_count": totals.api_calls,
                    "quota_units": totals.quota_units,
                    "query_count": totals.query_count,
                    "query_time_ms": milliseconds(totals.query_nanoseconds),
                    "error_type": error_type_of(failure) if failure else None,
                },
                span,
            )
            totals.run_deferred()
