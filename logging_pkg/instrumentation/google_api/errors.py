"""Google's own reason out of an error body.

In: the body of an answer with status 400 or more. Out: one word. Never: a message, or anything not shaped as a reason.
"""

from __future__ import annotations

import json
import re

_REASON = re.compile(r"[A-Za-z0-9_]{1,64}")


def reason_of(content: bytes) -> str:
    """`error.errors[0].reason`, or OAuth's `error`; `unlisted` where there is none.

    Source: Calendar API, "Handle API errors"; RFC 6749, 5.2.
    """
    try:
        error = json.loads(content)["error"]
        reason = error["errors"][0]["reason"] if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError, RecursionError):
        return "unlisted"
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else "unlisted"
