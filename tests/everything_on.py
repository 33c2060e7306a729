"""Settings with which the instrumentation does all it can, for runs that show that it changes nothing.

In: nothing. Out: keys of LOGPIPE. Never: a threshold that lets something pass unreported.
"""

from __future__ import annotations

from typing import Any

#: Every finding fires for every query and request, plans included.
EVERYTHING_ON: dict[str, Any] = {
    "SLOW_REQUEST_THRESHOLD_MS": 0,
    "SLOW_QUERY_THRESHOLD_MS": 0,
    "QUERY_COUNT_THRESHOLD": 0,
    "N_PLUS_ONE_THRESHOLD": 0,
    "HEARTBEAT_INTERVAL_S": 1,
    "CACHE_USAGE_INTERVAL_S": 1,
    "STUCK_REQUEST_THRESHOLD_S": 0.02,
    "EXPLAIN_SLOW_QUERIES": True,
    "EXPLAIN_INTERVAL_S": 0,
    "EXPLAIN_FULL_SCAN_ROWS": 0,
}
