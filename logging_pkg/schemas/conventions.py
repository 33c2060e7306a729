"""Every name that more than one plane of the pipeline has to agree on.

In: nothing. Out: label, metadata, file and limit names, and the timestamp format. Never: other behaviour.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

#: Loki stream labels, each bounded to tens of values.
STREAM_LABELS: Final = ("service_name", "env", "event")
#: Loki structured metadata: what people search by.
STRUCTURED_METADATA: Final = ("level", "event_id", "correlation_id", "request_id", "sync_id", "api_call_id")

LEVELS: Final = ("debug", "info", "warning", "error", "critical")

LOG_FILE_SUFFIX: Final = ".ndjson"
#: The embedded shipper's checkpoint, read by the file sink to know what may be deleted first.
SHIPPED_FILE_NAME: Final = ".shipped.json"

#: Longest line in a file, newline included. Vector's max_line_bytes and Loki's max_line_size are above it.
MAX_LINE_BYTES: Final = 65_536
#: Longest line on stdout: POSIX pipe writes are atomic up to PIPE_BUF, 4,096 bytes on Linux.
MAX_STDOUT_LINE_BYTES: Final = 4_096
#: Loki answers 500 for ever above its gRPC message limit of 4 MiB; stay well below it.
MAX_PUSH_BYTES: Final = 3 * 1024 * 1024

CORRELATION_HEADER: Final = "X-Correlation-ID"
TRACEPARENT_HEADER: Final = "traceparent"

#: The route of a request that no URL pattern matched.
UNROUTED: Final = "unrouted"

EVENT_NAME_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
SERVICE_NAME_PATTERN: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
ENV_PATTERN: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
RELEASE_PATTERN: Final = re.compile(r"[A-Za-z0-9._+-]{0,64}")
INSTANCE_ID_PATTERN: Final = re.compile(r"[0-9a-f]{32}")
CORRELATION_ID_PATTERN: Final = re.compile(r"[0-9a-f]{32}")
SPAN_ID_PATTERN: Final = re.compile(r"[0-9a-f]{16}")

_TIMESTAMP_PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def time_text(time_ns: int) -> str:
    """A time, ns since 1970, as people and Loki's API read it: RFC 3339, UTC, whole seconds."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_timestamp(text: str) -> int:
    """Return an envelope `timestamp` as nanoseconds since 1970.

    Raises:
        ValueError: the text is not RFC 3339 in UTC with microseconds and a `Z`.
    """
    if _TIMESTAMP_PATTERN.fullmatch(text) is None:
        raise ValueError(f"timestamp {text[:40]!r} is not YYYY-MM-DDTHH:MM:SS.ffffffZ")
    since = datetime.fromisoformat(text) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
