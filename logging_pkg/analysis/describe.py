"""What a person calls an event: a label and a short detail of it.

In: one event. Out: text, with nothing added that would have to be escaped but what the event holds. Never: markup; an
error for a field that is not as its schema says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from logging_pkg.analysis.values import UNKNOWN, number_of, number_text, text_of

_LONG = 80
#: What a statement reads, between SELECT and FROM: the least telling part of it, and the longest.
_READ_COLUMNS = re.compile(r"(?<=^SELECT ).{40,}?(?= FROM )")


def label(event: Mapping[str, Any]) -> str:
    """What it tells of: `POST /accounts/3/sync  200`."""
    match event["event"]:
        case "http.request_finished":
            return f"{text_of(event, 'method')} {text_of(event, 'path')}  {text_of(event, 'status_code')}"
        case "http.request_stuck":
            return f"{text_of(event, 'method')} {text_of(event, 'route')}  no end"
        case "sync.run_finished":
            return f"sync {text_of(event, 'resource')} {text_of(event, 'kind')}"
        case "google_api.call_finished":
            return f"google {text_of(event, 'operation')}"
        case "http_client.request_finished":
            return f"{text_of(event, 'http_method')} {text_of(event, 'host')}"
        case "function.call_finished":
            return text_of(event, "function")
    return str(event["event"])


def detail(event: Mapping[str, Any]) -> str:
    """What is worth knowing of it."""
    match event["event"]:
        case "http.request_finished":
            user = f"user {event['user_id']}" if event.get("user_id") else "nobody signed in"
            return f"{user} · {number_of(event, 'response_size_bytes'):,.0f} bytes"
        case "http.request_stuck":
            return f"at {(str(event.get('stack') or 'unknown').splitlines() or [UNKNOWN])[-1]}"
        case "sync.run_finished":
            return f"{text_of(event, 'page_count')} pages · {_changes(event)}"
        case "google_api.call_finished":
            page = f"page {event['page']}" if event.get("page") else None
            return _joined(_answer(event), event.get("reason"), f"attempt {text_of(event, 'attempt')}", page)
        case "http_client.request_finished":
            return _answer(event)
        case "db.n_plus_one_detected":
            return f"{text_of(event, 'count')} × {_statement(event)}"
        case "db.slow_query_detected":
            return f"{number_text(event, 'duration_ms', '.0f')} ms {_statement(event)}"
        case "db.high_query_count_detected":
            return f"{text_of(event, 'query_count')} queries, more than {text_of(event, 'threshold')}"
        case "http.slow_request_detected":
            return f"{number_text(event, 'response_time_ms')} ms, more than {number_text(event, 'threshold_ms')}"
        case "user.action_recorded":
            return text_of(event, "action")
        case "calendar.connection_checked":
            return text_of(event, "status")
        case "log.message_recorded":
            return text_of(event, "message")[:_LONG]
    return _joined(event.get("error_type"), event.get("reason"), event.get("message"))[:_LONG]


def short_statement(fingerprint: str) -> str:
    """A statement for the eye: without the long list of columns it reads, and without quotes round names."""
    return _READ_COLUMNS.sub("…", fingerprint).replace('"', "").replace("`", "")


def _answer(event: Mapping[str, Any]) -> str:
    return str(event.get("status_code") or text_of(event, "outcome"))


def _statement(event: Mapping[str, Any]) -> str:
    return f"{short_statement(text_of(event, 'fingerprint'))[:_LONG]} at {text_of(event, 'caller')}"


def _changes(event: Mapping[str, Any]) -> str:
    counts = {name: event.get(f"{name}_count") for name in ("created", "updated", "deleted")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no change"


def _joined(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part)
