"""What can go wrong when Prometheus or Alertmanager is asked.

In: a sentence. Out: one class per thing a caller may want to do next. Never: an answer's whole text.
"""

# ruff: noqa: N818 - the names say what happened

from __future__ import annotations

from logging_pkg.exceptions import LogpipeError


class ServerError(LogpipeError):
    """Prometheus or Alertmanager did not answer what was asked; the message names address and reason."""


class ServerUnreachable(ServerError):
    """No connection was made."""


class ServerUnanswered(ServerError):
    """The connection broke off, or time ran out."""
