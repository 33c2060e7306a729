"""Names in the house grammar: what an event or a field of another producer might be called here.

In: names from anywhere. Out: suggestions. Never: a rename; that is the reader's.
"""

from __future__ import annotations

import re
from typing import Final

from logging_pkg.schemas.conventions import EVENT_NAME_PATTERN

#: Envelope's `event` takes no longer ones.
MAX_EVENT_NAME: Final = 64
_MAX_DOMAIN = 24
#: In front of a name that says no domain.
_DEFAULT_DOMAIN = "app"
#: How others write units -> the suffix of the house.
_UNITS = {
    "milliseconds": "ms", "millis": "ms", "msec": "ms", "msecs": "ms", "microseconds": "us", "micros": "us",
    "seconds": "s", "secs": "s", "sec": "s", "byte": "bytes", "bytecount": "bytes",
}  # fmt: skip
#: What others call what the envelope has.
ENVELOPE_NAMES: Final = {
    **dict.fromkeys(("timestamp", "time", "ts", "datetime", "logged_at"), "timestamp"),
    **dict.fromkeys(("level", "severity", "lvl", "log_level"), "level"),
    **dict.fromkeys(("service", "service_name", "app", "application"), "service_name"),
    **dict.fromkeys(("env", "environment"), "env"),
    **dict.fromkeys(("release", "app_version"), "release"),
    **dict.fromkeys(("correlation_id", "trace_id"), "correlation_id"),
}


def event_name(text: str) -> str:
    """`<domain>.<noun>_<past verb>` made of any text; the text itself where it is such a name."""
    if EVENT_NAME_PATTERN.fullmatch(text) and len(text) <= MAX_EVENT_NAME:
        return text
    words = [word for word in re.split(r"[^a-z0-9]+", _snake(text)) if word]
    if not words:
        words = ["message", "logged"]
    head, *rest = words
    domain, tail = (head, rest) if rest and head[0].isalpha() else (_DEFAULT_DOMAIN, words)
    name = "_".join(tail)
    name = name if name[0].isalpha() else f"event_{name}"
    return f"{domain[:_MAX_DOMAIN]}.{name}"[:MAX_EVENT_NAME].rstrip("_")


def field_name(text: str) -> str:
    """A field's name in lower case with underscores and a unit of the house as suffix."""
    words = [word for word in re.split(r"[^a-z0-9]+", _snake(text)) if word]
    if not words:
        return text
    words[-1] = _UNITS.get(words[-1], words[-1])
    name = "_".join(words)
    return name if name[0].isalpha() else f"field_{name}"


def _snake(text: str) -> str:
    """`durationMs`, `HTTPStatus`, `user-agent` -> `duration_Ms`, `HTTP_Status`, `user-agent`, in lower case."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", apart).lower()
