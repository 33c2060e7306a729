"""Watch one sync run: `with sync_run(...) as run:`; tell how an account's connection and the schedule of syncs stand.

In: what the sync engine reports while it works. Out: `sync.run_finished`, `calendar.connection_checked`,
`sync.schedule_checked`. Never: swallows the engine's exception.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from logging_pkg.context import Span, active, current_span, start_span
from logging_pkg.events.stacks import error_type_of
from logging_pkg.instrumentation.database.findings import report_n_plus_one
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.totals import Totals

Kind = Literal["full", "incremental"]
#: healthy: all of it was synced. degraded: some of it failed. expiring: a token that nothing refreshes ends soon.
#: revoked: Google does not accept the account's credentials, its user must connect it again.
ConnectionStatus = Literal["healthy", "degraded", "expiring", "revoked"]
#: Calendars that `sync.schedule_checked` names; all are counted.
MAX_LATE_CALENDARS = 20


class _PageTotals(Totals):
    """Counts of one page. Its findings are the run's: they count towards the run's cap."""

    def take_finding(self) -> bool:
        """Whether the run may emit one more."""
        return super().take_finding() if self.parent is None else self.parent.take_finding()


class SyncRun:
    """What one run has done so far. `kind` may change while it runs (an incremental run may have to start over)."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self._counts = dict.fromkeys(("page", "created", "updated", "deleted", "unchanged"), 0)
        self._token_expired = False
        self._is_resumed = False
        self._newest: datetime | None = None

    @contextmanager
    def page(self) -> Iterator[None]:
        """Watch the work on one more page that was fetched.

        What is asked once per page is no loop over rows: a repeated query counts as N+1 only within one page.
        """
        self._counts["page"] += 1
        run = current_span()
        totals = _PageTotals(parent=run.totals)
        with active(Span(run.correlation_id, run.span_id, run.parent_span_id, run.unit_ids, totals)):
            yield
        with faults_kept_in():
            report_n_plus_one(totals, run)

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

    def resumed(self) -> None:
        """It goes on where an earlier run was broken off."""
        self._is_resumed = True

    def changed_at(self, moment: datetime) -> None:
        """Something it brought was changed at its source then; the latest such moment counts."""
        if self._newest is None or moment > self._newest:
            self._newest = moment

    def fields(self) -> dict[str, float | int | None]:
        """The counts as event fields, and how far behind the source the run was."""
        lag = None if self._newest is None else (datetime.now(UTC) - self._newest).total_seconds() * 1000
        return {f"{name}_count": count for name, count in self._counts.items()} | {
            "sync_token_expired": int(self._token_expired),
            "is_resumed": int(self._is_resumed),
            # The source's clock may be ahead of ours.
            "lag_ms": None if lag is None else round(max(0.0, lag), 3),
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


def connection_checked(
    *,
    account: object,
    status: ConnectionStatus,
    resource_count: int,
    failed_count: int,
    token_expires_in_s: float | None = None,
    failure: BaseException | None = None,
) -> None:
    """Tell how the connection of an account stands, after a sync has tried it.

    Args:
        account: identifies the Google account; hashed.
        status: the verdict.
        resource_count: resources (list of calendars, calendars) the sync tried.
        failed_count: those of them that failed.
        token_expires_in_s: seconds left of a token that cannot be refreshed; None for any other.
        failure: what the first failed one met.
    """
    emit_safely(
        "calendar.connection_checked",
        {
            "account_hash": account_hash_of(account),
            "status": status,
            "is_healthy": int(status == "healthy"),
            "is_revoked": int(status == "revoked"),
            "resource_count": resource_count,
            "failed_count": failed_count,
            "token_expires_in_s": None if token_expires_in_s is None else round(token_expires_in_s, 3),
            "error_type": error_type_of(failure) if failure is not None else None,
        },
    )


def schedule_checked(
    *, interval_s: float, threshold_s: float, calendar_count: int, oldest_age_s: float | None, late: Iterable[object]
) -> None:
    """Tell whether the calendars are synced as often as they should be.

    Args:
        interval_s: seconds between two syncs of a calendar, as scheduled.
        threshold_s: a calendar not synced for longer than this is late.
        calendar_count: calendars that are to be synced.
        oldest_age_s: seconds since the sync that lies back furthest; None where nothing has been synced yet.
        late: identifies the late calendars; hashed, the first 20 of them told.
    """
    hashes = [account_hash_of(calendar) for calendar in late]
    emit_safely(
        "sync.schedule_checked",
        {
            "interval_s": interval_s,
            "threshold_s": threshold_s,
            "calendar_count": calendar_count,
            "late_count": len(hashes),
            "oldest_age_s": None if oldest_age_s is None else round(max(0.0, oldest_age_s), 3),
            "late_calendars": hashes[:MAX_LATE_CALENDARS],
        },
    )
