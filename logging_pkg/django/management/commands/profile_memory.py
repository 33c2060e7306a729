"""`manage.py profile_memory`: ask running processes which lines of code allocate what is not freed.

In: how long, how many lines, which process. Out: a request file beside the log files; the LogQL that finds the answers.
Never: waits for them, or traces this command.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from logging_pkg import conf
from logging_pkg.instrumentation.memory_profile import MAX_SECONDS, MAX_TOP, ask


class Command(BaseCommand):
    """Ask for memory profiles."""

    help = "Ask the processes that log into this project's directory for a profile of their memory."

    def add_arguments(self, parser: CommandParser) -> None:
        """How long, how much, whom."""
        parser.add_argument(
            "--seconds",
            type=_seconds,
            default=30.0,
            metavar="S",
            help=f"how long to trace, up to {MAX_SECONDS:.0f} (30)",
        )
        parser.add_argument(
            "--top", type=_top, default=25, metavar="N", help=f"lines of code to tell of, up to {MAX_TOP} (25)"
        )
        parser.add_argument("--pid", type=int, metavar="PID", help="only this process (default: all)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write the request."""
        settings = conf.settings()
        if not settings.memory_profiles:
            raise CommandError("The setting MEMORY_PROFILES is off: no process would answer.")
        if settings.heartbeat_interval_s <= 0:
            self.stderr.write(
                self.style.WARNING("HEARTBEAT_INTERVAL_S is 0 here; a process without heartbeats will not answer.")
            )
        try:
            profile = ask(settings.directory, seconds=options["seconds"], top=options["top"], pid=options["pid"])
        except OSError as error:
            raise CommandError(f"{settings.directory}: {error.strerror}; expected a directory to write to") from error
        self.stdout.write(
            f"Asked for profile {profile}. Each process begins with its next heartbeat (within "
            f"{settings.heartbeat_interval_s:g} s) and answers {options['seconds']:g} s later:\n"
            f'{{event="process.memory_profiled"}} | json profile="profile" | profile="{profile}"'
        )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_SECONDS:
        raise ArgumentTypeError(f"{text!r}, expected seconds above 0, up to {MAX_SECONDS:.0f}")
    return seconds


def _top(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_TOP:
        raise ArgumentTypeError(f"{text!r}, expected a number from 1 to {MAX_TOP}")
    return int(text)
