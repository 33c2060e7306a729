"""Records of the standard library's logging (Django's, third parties', the project's) as `log.message_recorded`.

In: LogRecords. Out: events. Never: formats a record's arguments into its message, raises into the caller.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

from logging_pkg import conf
from logging_pkg.context import REQUEST_ATTRIBUTE
from logging_pkg.events.stacks import describe_exception, record_source
from logging_pkg.exceptions import LogpipeError
from logging_pkg.schemas.conventions import MAX_LINE_BYTES
from logging_pkg.writer import get_writer

_MAX_ARGUMENTS = 32
_MAX_ARGUMENT_CHARACTERS = 1000

#: A longer template is cut before it is searched; it is over the limit of a line, so the writer marks the event.
_MAX_MESSAGE_CHARACTERS = MAX_LINE_BYTES

#: Templates should hold no values, but an f-string passed as one does. What such values look like is replaced.
#: Every pattern starts at the head of a run of characters and repeats possessively: a hostile text costs linear time.
_SCRUBS = (
    (re.compile(r"(?<=://)[^\s/@:]*+:[^\s/@]++@"), "<credentials>@"),
    (re.compile(r"\?[^\s\"'<>=?]*+=[^\s\"'<>]*+"), "?<query>"),
    (re.compile(r"(?<![\w.%+-])[\w.%+-]++@[\w-]++(?:\.[\w-]++)+"), "<email>"),
    (re.compile(r"(?i)\b(bearer|basic)\s++[\w.~+/=-]{6,}+"), r"\1 <token>"),
    (re.compile(r"(?i)\b(token)\s++(?=[a-z.~+/=_-]*+[0-9])[\w.~+/=-]{6,}+"), r"\1 <token>"),
    (
        re.compile(
            r"(?i)(?<![\w-])([\w-]{0,40}?(?:password|passwd|secret|token|api_?key|authorization|cookie|session_?id)[\w-]{0,40}+)"
            r"([\"']?\s*+[=:]\s*+[\"']?)[^\s,;&\"']++"
        ),
        r"\1\2<secret>",
    ),
    (re.compile(r"\b(?:eyJ[A-Za-z0-9._-]{10,}+|ya29\.[A-Za-z0-9._-]++|[A-Fa-f0-9]{40,}+)"), "<token>"),
)


def scrub(text: str) -> str:
    """Replace e-mail addresses, credentials and query strings in a text."""
    for pattern, replacement in _SCRUBS:
        text = pattern.sub(replacement, text)
    return text


class StandardLibraryHandler(logging.Handler):
    """A logging.Handler that writes each record as a schema-valid event."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. The message is its template; arguments only for allow-listed loggers."""
        try:
            # Django logs 4xx and 5xx after the middleware has returned; its records carry the request.
            span = getattr(getattr(record, "request", None), REQUEST_ATTRIBUTE, None)
            get_writer().emit("log.message_recorded", _fields(record), _level(record.levelno), span)
            _keep_last_resort(record)
        except LogpipeError:
            # Even in strict mode: code that merely logs must not fail because of us. The writer has counted it.
            return
        except Exception:
            self.handleError(record)


def _keep_last_resort(record: logging.LogRecord) -> None:
    """Write what logging would have written to stderr, had our handler not been the only one."""
    last_resort = logging.lastResort
    if last_resort is None or record.levelno < last_resort.level:
        return
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None:
        if any(not isinstance(handler, StandardLibraryHandler) for handler in logger.handlers):
            return
        logger = logger.parent if logger.propagate else None
    last_resort.handle(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    message = record.msg if isinstance(record.msg, str) else f"<{type(record.msg).__qualname__}>"
    error = record.exc_info[1] if record.exc_info else None
    # Without exc_info as well: `log.error(f"failed: {error}")` within `except` carries the text of what is handled.
    handled = error or sys.exc_info()[1]
    if handled is not None:
        message = _without_text_of(handled, message)
    fields: dict[str, Any] = {
        "logger": _text(record.name)[:200],
        "message": scrub(_text(message[:_MAX_MESSAGE_CHARACTERS])),
        "source": _text(record_source(record.pathname, record.lineno)),
        "function": _text(record.funcName)[:200] if record.funcName else None,
    }
    if record.args and _may_tell_arguments(record.name):
        values = record.args.values() if isinstance(record.args, dict) else record.args
        fields["arguments"] = [_argument(value) for value in list(values)[:_MAX_ARGUMENTS]]
    if error is not None:
        fields["error_type"], stack = describe_exception(error)
        fields["error_stack"] = _text(stack)
    return fields


def _without_text_of(error: BaseException, message: str) -> str:
    """A message without the exception's own, which may hold values: Django's django.security logs `str(error)`."""
    try:
        text = str(error)
    except Exception:
        return message
    return message.replace(text, f"<{type(error).__qualname__}>") if len(text) > 3 or text == message else message


def _text(value: str) -> str:
    """Lone surrogates (undecodable file names, hostile input) escaped, so that the record is kept."""
    return value.encode("utf-8", "backslashreplace").decode()


def _argument(value: object) -> str:
    try:
        return scrub(_text(str(value)[:_MAX_ARGUMENT_CHARACTERS]))
    except Exception:
        return f"<unprintable {type(value).__qualname__}>"


def _may_tell_arguments(name: str) -> bool:
    return any(name == allowed or name.startswith(allowed + ".") for allowed in conf.settings().log_argument_loggers)


def _level(number: int) -> str:
    if number >= logging.CRITICAL:
        return "critical"
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def install_handler() -> StandardLibraryHandler:
    """Attach one handler to the root logger and to every logger that does not propagate to it. Idempotent.

    A logger that stops propagating later is reached by calling this again. Existing handlers stay as they are and get
    the records they got: lowering the root logger's level, which our handler needs, is made up for in theirs, and where
    nothing else handles a record, `logging.lastResort` goes on writing warnings to stderr.
    """
    handler = next((h for h in logging.root.handlers if isinstance(h, StandardLibraryHandler)), None)
    if handler is None:
        handler = StandardLibraryHandler()
        logging.root.addHandler(handler)
    handler.setLevel(conf.settings().log_level.upper())
    former = logging.root.level
    if former > handler.level or former == logging.NOTSET:
        for other in logging.root.handlers:
            if other is not handler and other.level < former:
                other.setLevel(former)
        logging.root.setLevel(handler.level)
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and not _reaches_root(logger) and handler not in logger.handlers:
            logger.addHandler(handler)
    return handler


def _reaches_root(logger: logging.Logger) -> bool:
    """Whether a record of this logger arrives at a logger that has our handler without help."""
    if logger.propagate:
        return True
    return any(isinstance(handler, StandardLibraryHandler) for handler in logger.handlers)
