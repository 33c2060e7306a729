"""What a batch request carries, and what became of its parts.

In: multipart bodies as googleapiclient sends them and Google answers them. Out: counts, and what tells one batch from
another. Never: keeps a part's request line, header or body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from logging_pkg.instrumentation.google_api.errors import reason_of
from logging_pkg.instrumentation.google_api.quota import is_rate_limited, is_refused

MEDIA_TYPE = "multipart/mixed"

_BOUNDARY = re.compile(r'boundary="?([^";]{1,200})"?')
#: googleapiclient begins the Content-ID of each part with an ID of the batch object, a re-sent part's too.
_BATCH_ID = re.compile(r"content-id: *<([^\s>]{1,100})", re.IGNORECASE)
#: Behind the part's own header: the status line of the answer it holds.
_STATUS_LINE = re.compile(rb"\r?\n\r?\nHTTP/[\d.]+ (\d{3})")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class SentParts:
    """The requests a batch carries. `batch_id` is None where the parts have no usable Content-ID."""

    count: int
    batch_id: str | None


@dataclass(frozen=True, slots=True)
class AnsweredParts:
    """How many parts were answered with 400 or more, were refused before the API acted, were rate limited."""

    errors: int
    refused: int
    rate_limited: int


def sent_parts(content_type: str, body: Any) -> SentParts:
    """Count the parts of a batch's body."""
    text = body.decode("latin-1") if isinstance(body, bytes) else str(body or "")
    boundary = _BOUNDARY.search(content_type)
    delimiters = text.count(f"--{boundary[1]}") if boundary else 0
    batch_id = _BATCH_ID.search(text)
    return SentParts(max(delimiters - 1, 0), batch_id[1] if batch_id else None)


def answered_parts(content_type: str, content: bytes) -> AnsweredParts | None:
    """Look at the answer's parts; None where it is no multipart."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None or not content_type.startswith(MEDIA_TYPE):
        return None
    errors = refused = rate_limited = 0
    for part in content.split(b"--" + boundary[1].encode("latin-1", "replace")):
        line = _STATUS_LINE.search(part)
        if line is None or (status := int(line[1])) < 400:
            continue
        reason = reason_of(_BLANK_LINE.split(part[line.end() :], maxsplit=1)[-1])
        errors += 1
        refused += is_refused(status, reason)
        rate_limited += is_rate_limited(status, reason)
    return AnsweredParts(errors, refused, rate_limited)
