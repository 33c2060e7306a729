"""`manage.py run_sync_worker`: sync every account again and again, until told to stop.

In: `--interval S`; SIGTERM or SIGINT; push notifications, as rows that ask for a sync.
Out: a sync of each account per pass, each pass a correlation of its own; between accounts and passes those that were
asked for, under the correlation they were asked under; after each pass whether calendars are late, channels renewed,
dashboards warmed; every five minutes the sizes of the databases. Several workers share the work: what one has synced is
fresh to the others.
Run it under its own service name: `LOGPIPE_SERVICE_NAME=calendar-sync-worker`.
Never: stops in the middle of a page, or for one account's sake; a stop ends every wait at once, and the pass before its
next account.
"""

import datetime as dt
import logging
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections
from django.db.models import Min
from django.utils import timezone

from calendar_sync.encryption import UnreadableSecret
from calendar_sync.google import GoogleError
from calendar_sync.models import Calendar, GoogleAccount
from calendar_sync.sync import (
    late_calendars,
    request_sync,
    sync_account,
    sync_calendar,
    sync_calendar_list,
    take_requests,
)
from calendar_sync.sync.channels import watch_account
from logging_pkg import continued, new_correlation, start_heartbeat
from logging_pkg.instrumentation.cache_warming import warm_caches
from logging_pkg.instrumentation.database.size import start_size_samples, stop_size_samples
from logging_pkg.instrumentation.sync import schedule_checked

logger = logging.getLogger(__name__)

#: How often the worker looks for syncs that were asked for, s.
REQUESTS_EVERY_S = 1.0
#: A calendar that was not synced for so many intervals is late; one pass may fail, and the next make it good.
LATE_AFTER_INTERVALS = 3


class WorkerStopped(Exception):
    """The worker was told to stop while it waited: to try again, or for its turn under the quota."""


class Command(BaseCommand):
    """Sync all accounts periodically."""

    help = "Sync every Google account every --interval seconds, until SIGTERM or SIGINT."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--interval", type=float, default=30.0, metavar="S", help="seconds from pass to pass (30)")
        parser.add_argument("--passes", type=int, metavar="N", help="stop after N passes (default: never)")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()

        def on_signal(number: int, frame: FrameType | None) -> None:
            stop.set()

        previous = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        start_heartbeat()
        start_size_samples()
        try:
            passes = _Worker(options["interval"], stop).work(options["passes"])
        finally:
            stop_size_samples()
            for number, handler in previous.items():
                signal.signal(number, handler)
        self.stdout.write(f"stopped after {passes} passes")


class _Worker:
    def __init__(self, interval_s: float, stop: threading.Event) -> None:
        self._interval_s = interval_s
        self._stop = stop

    def work(self, passes: int | None) -> int:
        """Pass after pass, until told to stop; returns how many there were."""
        done = 0
        while not self._stop.is_set():
            next_pass = time.monotonic() + self._interval_s
            with new_correlation():
                self._try(self._sync_all)
                self._try(self._check_schedule)
                self._try(self._watch_all)
            done += 1
            if not self._stop.is_set():
                warm_caches(["dashboards"], time_budget_s=self._interval_s / 2)
            if done == passes:
                break
            while not self._stop.is_set() and time.monotonic() < next_pass:
                self._stop.wait(min(REQUESTS_EVERY_S, max(0.0, next_pass - time.monotonic())))
                self._try(self._sync_requested)
        return done

    def _try(self, work: Any) -> None:
        if self._stop.is_set():
            return
        # A worker has no requests at whose end Django would drop a connection that broke or grew old.
        close_old_connections()
        try:
            work()
        except WorkerStopped:
            return
        except DatabaseError:
            logger.exception("The database failed; the next pass tries again")

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise WorkerStopped

    def _accounts(self) -> Iterator[GoogleAccount]:
        """Account after account, each as it is when its turn comes, until told to stop."""
        for pk in GoogleAccount.objects.order_by("pk").values_list("pk", flat=True):
            if self._stop.is_set():
                return
            try:
                account = GoogleAccount.objects.filter(pk=pk).first()
            except UnreadableSecret as error:
                logger.error("Account %d: %s", pk, error)
                continue
            if account is not None:
                yield account

    def _sync_all(self) -> None:
        # What another worker has synced within this interval is its part of the work.
        fresh_after = timezone.now() - dt.timedelta(seconds=self._interval_s / 2)
        for account in self._accounts():
            sync_account(account, "worker", sleep=self._sleep, fresh_after=fresh_after)
            # A pass may be long; whoever asked for a sync does not wait for its end.
            self._sync_requested()

    def _sync_requested(self) -> None:
        for row, traceparent in take_requests():
            with continued(traceparent):
                try:
                    if isinstance(row, Calendar):
                        report = sync_calendar(row, "push", sleep=self._sleep)
                    else:
                        report = sync_calendar_list(row, "push", sleep=self._sleep)
                except UnreadableSecret as error:
                    logger.error("A sync that was asked for: %s", error)
                    continue
                except WorkerStopped:
                    request_sync(type(row), row.pk, traceparent)
                    raise
            if report.skipped:
                request_sync(type(row), row.pk, traceparent)

    def _check_schedule(self) -> None:
        threshold = dt.timedelta(seconds=self._interval_s * LATE_AFTER_INTERVALS)
        enabled = Calendar.objects.filter(enabled=True)
        oldest = enabled.aggregate(oldest=Min("last_synced_at"))["oldest"]
        schedule_checked(
            interval_s=self._interval_s,
            threshold_s=threshold.total_seconds(),
            calendar_count=enabled.count(),
            oldest_age_s=None if oldest is None else (timezone.now() - oldest).total_seconds(),
            late=late_calendars(threshold).values_list("google_id", flat=True),
        )

    def _watch_all(self) -> None:
        for account in self._accounts():
            try:
                watch_account(account, sleep=self._sleep)
            except GoogleError as error:
                logger.warning("Push channels of account %d: %s", account.pk, type(error).__name__)
