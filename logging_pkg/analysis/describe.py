"""What a person calls an event: a label and a short detail of it.

In: one event. Out: text of one line, with nothing of the event left to be escaped but what it holds. Never: markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_LONG = 80
#: What a statement reads, between SELECT and FROM: the least telling part of it, and the longest.
_READ_COLUMNS = re.compile(r"(?<=^SELECT ).{40,}?(?= FROM )")


def label(event: Mapping[str, Any]) -> str:
    """What it tells of: `POST /accounts/3/sync  200`."""
    match event["event"]:
        case "http.request_finished":
            return f"{event['method']} {event['path']}  {event['status_code']}"
        case "http.request_stuck":
            return f"{event['method']} {event['route']}  no end"
        case "sync.run_finished":
            return f"sync {event['resource']} {event['kind']}"
        case "google_api.call_finished":
            return f"google {event['operation']}"
        case "http_client.request_finished":
            return f"{event['http_method']} {event['host']}"
        case "function.call_finished":
            return str(event["function"])
    return str(event["event"])


def detail(event: Mapping[str, Any]) -> str:
    """What is worth knowing of it."""
    match event["event"]:
        case "http.request_finished":
            user = f"user {event['user_id']}" if event["user_id"] else "nobody signed in"
            return f"{user} · {event['response_size_bytes'] or 0:,} bytes"
        case "http.request_stuck":
            return f"at {(event['stack'] or 'unknown').splitlines()[-1]}"
        case "sync.run_finished":
            return f"{event['page_count']} pages · {_changes(event)}"
        case "google_api.call_finished":
            page = f"page {event['page']}" if event["page"] else None
            return _joined(
                event["status_code"] or event["outcome"], event["reason"], f"attempt {event['attempt']}", page
            )
        case "http_client.request_finished":
            return str(event["status_code"] or event["outcome"])
        case "db.n_plus_one_detected":
            return f"{event['count']} × {short_statement(event['fingerprint'])[:_LONG]} at {event['caller']}"
        case "db.slow_query_detected":
            return f"{event['duration_ms']:.0f} ms {short_statement(event['fingerprint'])[:_LONG]} at {event['caller']}"
        case "db.high_query_count_detected":
            return f"{event['query_count']} queries, more than {event['threshold']}"
        case "http.slow_request_detected":
            return f"{event['response_time_ms']:,.0f} ms, more than {event['threshold_ms']:,.0f}"
        case "user.action_recorded":
            return str(event["action"])
        case "calendar.connection_checked":
            return str(event["status"])
        case "log.message_recorded":
            return str(event["message"])[:_LONG]
    return _joined(event.get("error_type"), event.get("reason"), event.get("message"))[:_LONG]


def short_statement(fingerprint: str) -> str:
    """A statement for the eye: without the long list of columns it reads, and without quotes round names."""
    return _READ_COLUMNS.sub("…", fingerprint).replace('"', "").replace("`", "")


def _changes(event: Mapping[str, Any]) -> str:
    counts = {name: event[f"{name}_count"] for name in ("created", "updated", "deleted")}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no change"


def _joined(*parts: object) -> str:
    return " · ".join(str(part) for part in parts if part)
