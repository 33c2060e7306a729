"""How long a request waited between the proxy and the application.

In: the header a proxy sets when it takes a request. Out: milliseconds. Never: believes a time that cannot be.
"""

from __future__ import annotations

import re

#: Longer than any proxy waits. More is a wrong clock or a forged header.
MAX_QUEUE_MS = 600_000.0

#: nginx writes seconds (`t=${msec}`), Heroku's router milliseconds, Apache microseconds (`t=%t`).
_START = re.compile(r"(?:t=)?(?:([0-9]{10}(?:\.[0-9]{1,9})?)|([0-9]{13}(?:\.[0-9]{1,6})?)|([0-9]{16}))", re.ASCII)


def queue_time_ms(header: object, now_s: float) -> float | None:
    """Return the time from the header to now, ms; None where it is missing, no time, in the future or too long ago.

    Args:
        header: value of `X-Request-Start`: seconds, milliseconds or microseconds since 1970, as many digits
            as that takes.
        now_s: seconds since 1970.
    """
    found = _START.fullmatch(header) if isinstance(header, str) else None
    if found is None:
        return None
    seconds, milliseconds, microseconds = found.groups()
    if seconds is not None:
        start_ms = float(seconds) * 1000
    elif milliseconds is not None:
        start_ms = float(milliseconds)
    else:
        start_ms = float(microseconds) / 1000
    waited = now_s * 1000 - start_ms
    # A clock that is ahead by a little gives a negative time: not known, rather than a made-up 0.
    return round(waited, 3) if 0 <= waited <= MAX_QUEUE_MS else None
