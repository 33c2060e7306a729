"""Everything a project can notice while a request is served, in the order it noticed it.

In: Django's signals, log records, warnings and exceptions; notes of the views. Out: one list of plain values.
Never: a value that differs from run to run (times, thread numbers, signatures of times), so that two runs compare.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core import signals
from django.db.backends.signals import connection_created
from django.db.models.signals import m2m_changed, post_delete, post_init, post_save, pre_delete, pre_save
from django.test.signals import setting_changed, template_rendered

HERE = Path(__file__).parent
_HARNESS = {"project.py", "serve.py", "site.py"}

_trail: list[list[Any]] = []

_UNSTABLE = (
    (re.compile(r"expires=[^;]+"), "expires=(when)"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:?\d\d)?"), "(when)"),
    (re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"), "(when)"),
    (re.compile(r":1[A-Za-z0-9]{5}:[\w-]{43}"), ":(signed)"),
    (re.compile(r"\bs\d+_x(\d+)"), r"savepoint \1"),
    (re.compile(r"_django_curs_\d+_\w+_(\d+)"), r"cursor \1"),
    (re.compile(r"0x[0-9a-f]{6,}"), "(address)"),
    (re.compile(r"\(\d+\.\d{3}\) "), ""),
)


def stable(value: Any) -> str:
    """The text of a value without what changes from run to run."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    for pattern, replacement in _UNSTABLE:
        text = pattern.sub(replacement, text)
    return text


def _nobody_waits() -> None:
    """No client leaves."""


#: What a view calls when the client may leave: not before it has begun, or it is chance how far a request gets.
client_may_leave: list[Callable[[], object]] = [_nobody_waits]


def note(kind: str, *values: Any) -> None:
    """Add an entry."""
    _trail.append([kind, *(stable(value) for value in values)])


def take() -> list[list[Any]]:
    """What was noted since the last time."""
    taken = _trail[:]
    _trail.clear()
    return taken


def describe(error: BaseException | None) -> list[Any]:
    """An exception and those behind it: type, arguments, notes, and the frames of these tests' own code."""
    chain = []
    while error is not None and len(chain) < 10:
        frames = [
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).parent == HERE and Path(frame.filename).name not in _HARNESS
        ]
        notes = list(getattr(error, "__notes__", []))
        chain.append([type(error).__name__, stable(error.args), notes, frames, error.__suppress_context__])
        error = error.__cause__ or error.__context__
    return chain


def follow() -> None:
    """Start noting: signals, statements, log records, warnings."""
    for name in ("request_started", "request_finished", "got_request_exception"):
        getattr(signals, name).connect(_receiver(name), weak=False)
    for signal, name in (
        (pre_save, "pre_save"),
        (post_save, "post_save"),
        (pre_delete, "pre_delete"),
        (post_delete, "post_delete"),
        (post_init, "post_init"),
        (m2m_changed, "m2m_changed"),
        (user_logged_in, "user_logged_in"),
        (user_login_failed, "user_login_failed"),
        (setting_changed, "setting_changed"),
        (template_rendered, "template_rendered"),
    ):
        signal.connect(_receiver(name), weak=False)
    connection_created.connect(_connected, weak=False)
    handler = _Handler()
    for name in ("django", "interference", "asyncio", "py.warnings"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    warnings.simplefilter("always")
    warnings.showwarning = _warned


def _receiver(name: str) -> Any:
    def receive(sender: Any = None, **arguments: Any) -> None:
        note("signal", name, getattr(sender, "__name__", sender), sorted(set(arguments) - {"signal"}))
        if name == "got_request_exception":
            note("exception in signal", describe(sys.exc_info()[1]))

    return receive


def _connected(connection: Any, **_: Any) -> None:
    # Statements are logged, transactions included, and kept in connection.queries.
    connection.force_debug_cursor = True
    note("signal", "connection_created", connection.alias)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "django.db.backends":
            note("sql", record.alias, record.sql)  # type: ignore[attr-defined]
        elif record.name != "django.db.backends.schema":
            message = record.getMessage()
            note(
                "log", record.name, record.levelname, message, describe(record.exc_info[1] if record.exc_info else None)
            )


def _warned(message: Any, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    note("warning", category.__name__, message, f"{Path(filename).name}:{lineno}")
