"""LogQL and PromQL that more than one page asks.

In: a Selection. Out: queries. Never: an event or field that no schema declares; the tests lint them.
"""

from __future__ import annotations

from logging_pkg.console.selection import Selection
from logging_pkg.pipeline.event_tables import line_filter


def count(chosen: Selection, event: str, *conditions: str, window: str = "") -> str:
    """How many events there are: `conditions` are fields and texts, `is_success="0"`."""
    parts = [f'{{event="{event}"{chosen.matchers}}}', *_stages(conditions)]
    return f"sum(count_over_time({' '.join(parts)} [{window or _whole(chosen)}]))"


def over_time(chosen: Selection, function: str, event: str, field: str, window: str = "") -> str:
    """One number of a field over all events: `function` is LogQL's, `avg_over_time`, or `0.95` for a quantile."""
    inside = (
        f'{{event="{event}"{chosen.matchers}}} | json {field}="{field}" | {field}!="" | unwrap {field} | __error__="" '
        f"[{window or _whole(chosen)}]"
    )
    if function[0].isdigit():
        return f"quantile_over_time({function}, {inside}) by (event)"
    if function == "sum_over_time":
        return f"sum(sum_over_time({inside}))"
    return f"{function}({inside}) by (event)"


def lines(chosen: Selection, event: str, *conditions: str) -> str:
    """The events themselves; `event` may be a regular expression."""
    parts = [f'{{event=~"{event}"{chosen.matchers}}}', *_stages(conditions)]
    return " ".join(parts)


def series(chosen: Selection, name: str, by: str = "", function: str = "max") -> str:
    """A recorded series, its instances folded by some labels."""
    return f"{function} by ({by}) ({name}{chosen.braces})" if by else f"{function}({name}{chosen.braces})"


def _stages(conditions: tuple[str, ...]) -> list[str]:
    """Lines without the values are dropped by their text, before the few that are left are parsed."""
    if not conditions:
        return []
    parts = [condition.partition("=") for condition in conditions]
    sieves = (line_filter(name, value.strip('"')) for name, _, value in parts if not name.endswith("!"))
    parsed = "| json " + ", ".join(f'{name}="{name}"' for name in dict.fromkeys(part[0].rstrip("!") for part in parts))
    return [*filter(None, sieves), parsed, *(f"| {condition}" for condition in conditions)]


def _whole(chosen: Selection) -> str:
    return f"{chosen.window_s}s"
