"""`manage.py warm_caches`: fill caches before traffic comes, after a deployment or from cron.

In: names of warmers, budgets. Out: a line per warmer; exit status 1 when a key failed.
Never: warms a cache in local memory, which would end with this command.
"""

from __future__ import annotations

import random
import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.management.base import BaseCommand, CommandError, CommandParser

from logging_pkg.exceptions import ConfigurationError
from logging_pkg.instrumentation.cache_warming import Warmer, WarmReport, preview, warm_caches
from logging_pkg.instrumentation.cache_warming.quiet_cache import CacheError
from logging_pkg.instrumentation.cache_warming.warmers import registered


class Command(BaseCommand):
    """Run warmers once."""

    help = "Warm caches: run the warmers that the applications' warmers.py register, in the order of their priority."

    def add_arguments(self, parser: CommandParser) -> None:
        """Names and budgets."""
        parser.add_argument("names", nargs="*", metavar="NAME", help="warmers to run (default: all)")
        parser.add_argument("--time-budget", type=_seconds, metavar="S", help="begin no key after S seconds")
        parser.add_argument("--quota-budget", type=_units, metavar="N", help="use N Google API quota units at most")
        parser.add_argument(
            "--jitter", type=_seconds, default=0.0, metavar="S", help="wait up to S seconds first, at random"
        )
        parser.add_argument("--force", action="store_true", help="compute keys that are fresh, too")
        parser.add_argument("--dry-run", action="store_true", help="say what would be computed, and compute nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Warm, and tell what became of each warmer's keys."""
        try:
            chosen = registered(options["names"])
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
        if not chosen:
            self.stderr.write(self.style.WARNING("There is no warmer: no installed application has one in warmers.py."))
        for one in chosen:
            if one.alias not in caches.settings:
                known = ", ".join(sorted(caches.settings))
                raise CommandError(f'warmer {one.name}: CACHES has no "{one.alias}"; it has {known}')
        names = [one.name for one in chosen if self._is_of_use(one)]
        if not names:
            return
        if options["dry_run"]:
            try:
                reports = preview(names, force=options["force"])
            except CacheError as error:
                raise CommandError(str(error)) from error
            for report in reports:
                self.stdout.write(f"{report.warmer} ({report.alias}): {report.skipped} to warm, {report.fresh} fresh")
            return
        time.sleep(random.uniform(0, options["jitter"]))
        reports = warm_caches(
            names,
            time_budget_s=options["time_budget"],
            quota_budget=options["quota_budget"],
            force=options["force"],
            trigger="command",
        )
        for report in reports:
            self.stdout.write(_in_words(report))
        failed = [report.warmer for report in reports if report.outcome == "failed"]
        if failed:
            raise CommandError(f"{len(failed)} of {len(reports)} warmers failed: {', '.join(failed)}")

    def _is_of_use(self, one: Warmer) -> bool:
        """Whether other processes will see what this one puts into the cache; says so if not, and why.

        Not an error: the same deployment script runs where there is no shared cache, on a developer's machine.
        """
        if not isinstance(caches[one.alias], LocMemCache | DummyCache):
            return True
        self.stderr.write(
            self.style.WARNING(
                f'{one.name}: not warmed. The cache "{one.alias}" is a {type(caches[one.alias]).__name__}, which no '
                "other process sees; set CACHES to Redis, Memcached, a database or files, or call "
                "logging_pkg.instrumentation.cache_warming.warm_caches_in_background() in the server process."
            )
        )
        return False


def _in_words(report: WarmReport) -> str:
    words = f"{report.warmer} ({report.alias}): {report.outcome.replace('_', ' ')}; " + ", ".join(
        (
            f"{report.warmed} warmed",
            f"{report.fresh} fresh",
            f"{report.skipped} skipped",
            f"{report.failed} failed",
        )
    )
    return f"{words} ({report.error_type})" if report.error_type else words


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise ArgumentTypeError(f"{text!r}, expected seconds from 0")
    return seconds


def _units(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r}, expected a whole number from 0")
    return int(text)
