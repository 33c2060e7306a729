"""`manage.py run_sync_worker`: sync every account again and again, until told to stop.

In: `--interval S`; SIGTERM or SIGINT.
Out: a sync of each account per pass, each pass a correlation of its own; then warm dashboards, old by then.
Run it under its own service name: `LOGPIPE_SERVICE_NAME=calendar-sync-worker`.
Never: stops in the middle of a page; a stop ends every wait at once, and the pass before its next account.
"""

import logging
import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from calendar_sync.models import GoogleAccount
from calendar_sync.sync import sync_account
from logging_pkg import new_correlation, start_heartbeat
from logging_pkg.instrumentation.cache_warming import warm_caches

logger = logging.getLogger(__name__)


class WorkerStopped(Exception):
    """The worker was told to stop while it waited to try a request again."""


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
        try:
            passes = 0
            while not stop.is_set():
                self._sync_all(stop)
                passes += 1
                if not stop.is_set():
                    warm_caches(["dashboards"], time_budget_s=options["interval"] / 2)
                if passes == options["passes"]:
                    break
                stop.wait(options["interval"])
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        self.stdout.write(f"stopped after {passes} passes")

    def _sync_all(self, stop: threading.Event) -> None:
        # A worker has no requests at whose end Django would drop a connection that broke or grew old.
        close_old_connections()

        def sleep(seconds: float) -> None:
            if stop.wait(seconds):
                raise WorkerStopped

        with new_correlation():
            try:
                for account in GoogleAccount.objects.order_by("pk"):
                    if stop.is_set():
                        return
                    sync_account(account, "worker", sleep=sleep)
            except WorkerStopped:
                return
            except DatabaseError:
                logger.exception("The database failed; the next pass tries again")
