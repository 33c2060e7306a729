"""How `logpipe` ends: one table from what went wrong to an exit code, for every command.

In: an exception. Out: its exit code. Never: a code of one command alone; docs/COMMAND_LINE.md has the same table.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.exceptions import InputError, LokiError
from logging_pkg.loki_client import LokiRejected
from logging_pkg.prometheus_client import ServerError

#: Something is wrong that was asked about, or was to be done: a breach, an ID that leads nowhere, a port in use.
SOMETHING_WRONG: Final = 1
#: What was given cannot be used.
WRONG_INPUT: Final = 2
#: A server does not answer, or not what was asked.
UNANSWERED: Final = 3

#: Loki's word for a question that it cannot read, or that asks for too much; it does not depend on Loki's health.
_BAD_QUESTIONS: Final = frozenset({400, 422})
_WRONG_FILES: Final = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


def exit_code_of(error: BaseException) -> int:
    """The exit code for an error that ends a command."""
    if isinstance(error, LokiRejected) and error.status in _BAD_QUESTIONS:
        return WRONG_INPUT
    if isinstance(error, LokiError | ServerError):
        return UNANSWERED
    if isinstance(error, (InputError, ImportError, *_WRONG_FILES)):
        return WRONG_INPUT
    return SOMETHING_WRONG
