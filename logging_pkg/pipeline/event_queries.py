"""LogQL of one number over all events of a kind, as the console and `logpipe doctor` ask it.

In: an event, a field, further matchers, a window. Out: LogQL. Never: an event or field that no schema declares; the
tests lint them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_STATUS: Final = "shipper.status_reported"
#: Shippers report every 10 s, Vector's every 15 s: in this time there are a few.
REPORTS: Final = "5m"
#: A recorded series that every service with a process has, so that its age is that of the newest recorded sample.
RECORDED: Final = "service:process_heartbeats:rate_5m"


def count(event: str, window: str, *conditions: str, matchers: str = "") -> str:
    """How many events there are: `conditions` are fields and texts, `is_success="0"`; `matchers` begin with a comma."""
    parts = [f'{{event="{event}"{matchers}}}', *stages(conditions)]
    return f"sum(count_over_time({' '.join(parts)} [{window}]))"


def line_filter(name: str, value: str) -> str:
    """A stage that drops lines without a field's number before they are parsed; empty where the value is no number.

    Looking for text in a line costs Loki a tenth of parsing it. Only a first sieve: the field is compared afterwards.
    """
    return f'|~ `"{name}": ?{value}\\b`' if value.isascii() and value.isdigit() else ""


def stages(conditions: Sequence[str]) -> list[str]:
    """What picks lines with these values: their text drops the others, before the few that are left are parsed."""
    if not conditions:
        return []
    parts = [condition.partition("=") for condition in conditions]
    sieves = (line_filter(name, value.strip('"')) for name, _, value in parts if not name.endswith("!"))
    parsed = "| json " + ", ".join(f'{name}="{name}"' for name in dict.fromkeys(part[0].rstrip("!") for part in parts))
    return [*filter(None, sieves), parsed, *(f"| {condition}" for condition in conditions)]


def over_time(function: str, event: str, field: str, window: str, *, matchers: str = "") -> str:
    """One number of a field over all events: `function` is LogQL's, `avg_over_time`, or `0.95` for a quantile."""
    inside = (
        f'{{event="{event}"{matchers}}} | json {field}="{field}" | {field}!="" | unwrap {field} | __error__="" '
        f"[{window}]"
    )
    if function[0].isdigit():
        return f"quantile_over_time({function}, {inside}) by (event)"
    if function == "sum_over_time":
        return f"sum(sum_over_time({inside}))"
    return f"{function}({inside}) by (event)"


def shipper_lag_s(matchers: str = "") -> str:
    """Age of the oldest event not shipped, s."""
    return over_time("max_over_time", _STATUS, "lag_s", REPORTS, matchers=matchers)


def backlog_bytes(matchers: str = "") -> str:
    """What is not shipped yet."""
    return over_time("max_over_time", _STATUS, "backlog_bytes", REPORTS, matchers=matchers)


def dead_letters(window: str, matchers: str = "") -> str:
    """Lines that were no events."""
    return over_time("sum_over_time", _STATUS, "dead_letter_count", window, matchers=matchers)


def refused_events(window: str, matchers: str = "") -> str:
    """Events that broke their schema."""
    return count("logging.event_rejected", window, matchers=matchers)


def deleted_events(window: str, matchers: str = "") -> str:
    """Events deleted before they were shipped, because the disk's share was used up."""
    return over_time("sum_over_time", "logging.file_deleted", "lost_event_count", window, matchers=matchers)


def unwritten_events(window: str, matchers: str = "") -> str:
    """Lines that could not be written, of the process with the most."""
    return over_time("max_over_time", "process.sampled", "failed_count", window, matchers=matchers)


def processes_alive(matchers: str = "") -> str:
    """Processes with a heartbeat in the last minute."""
    # allow logql/unbounded-by: counted, not shown
    beats = f'{{event="process.sampled"{matchers}}} | json instance_id="instance_id"'
    return f"count(sum by (instance_id) (count_over_time({beats} [1m])))"


def recorded_age_s(braces: str = "") -> str:
    """PromQL: how old the newest recorded sample is, s."""
    return f"time() - max(timestamp({RECORDED}{braces}))"
