"""LogQL and PromQL that more than one page asks.

In: a Selection. Out: queries. Never: an event or field that no schema declares; the tests lint them.
"""

from __future__ import annotations

from logging_pkg.console.selection import Selection
from logging_pkg.pipeline import event_queries


def count(chosen: Selection, event: str, *conditions: str, window: str = "") -> str:
    """How many events there are: `conditions` are fields and texts, `is_success="0"`."""
    return event_queries.count(event, window or whole(chosen), *conditions, matchers=chosen.matchers)


def over_time(chosen: Selection, function: str, event: str, field: str, window: str = "") -> str:
    """One number of a field over all events: `function` is LogQL's, `avg_over_time`, or `0.95` for a quantile."""
    return event_queries.over_time(function, event, field, window or whole(chosen), matchers=chosen.matchers)


def lines(chosen: Selection, event: str, *conditions: str) -> str:
    """The events themselves; `event` may be a regular expression."""
    parts = [f'{{event=~"{event}"{chosen.matchers}}}', *event_queries.stages(conditions)]
    return " ".join(parts)


def series(chosen: Selection, name: str, by: str = "", function: str = "max") -> str:
    """A recorded series, its instances folded by some labels."""
    return f"{function} by ({by}) ({name}{chosen.braces})" if by else f"{function}({name}{chosen.braces})"


def whole(chosen: Selection) -> str:
    """The selected time as a duration of LogQL."""
    return f"{chosen.window_s}s"


def recent(chosen: Selection) -> str:
    """A quarter of an hour at most: a quantile needs every line parsed, and charts show the rest."""
    return f"{min(900, chosen.window_s)}s"
