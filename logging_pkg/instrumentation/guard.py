"""Emission that cannot disturb the code it reports on.

In: an event. Out: nothing. Never: raises, but for a wrong event in strict mode (a bug of ours).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from logging_pkg import conf
from logging_pkg.context import SpanIds
from logging_pkg.exceptions import EventError
from logging_pkg.writer import get_writer


def emit_safely(event: str, fields: Mapping[str, Any], span: SpanIds | None = None) -> None:
    """Emit an event of our own instrumentation; anything but a strict-mode schema error is swallowed and counted."""
    try:
        get_writer().emit(event, fields, None, span)
    except EventError:
        raise
    except Exception:
        get_writer().faults += 1


class faults_kept_in:  # noqa: N801  (used like a function, as contextlib's own are)
    """Keep a fault of ours from what is watched: counted in production, raised in strict mode, to be found there."""

    __slots__ = ()

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Swallow an Exception, strict mode aside."""
        if not isinstance(error, Exception) or conf.settings().strict:
            return False
        get_writer().faults += 1
        return True


def keep_in(error: Exception) -> None:
    """The same for an exception that has been caught, where a `with` would cost too much: call it in `except`."""
    if conf.settings().strict:
        raise error
    get_writer().faults += 1
