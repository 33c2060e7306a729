"""Where a panel turns orange and red: limits of alert rules on the numbers that the panel shows.

In: the alerts about a panel, its queries, its unit, values that are bad in themselves. Out: Grafana's threshold steps.
Never: a limit of its own; alert rules have those, and a panel says which are about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from logging_pkg.pipeline.dashboards.rule_book import Alert, Limit

#: From good to bad.
COLOURS: Final = ("green", "orange", "red")
_GOOD, _WARNING, _CRITICAL = range(3)
#: Grafana colours from a value on. Above 0 begins here: 0 itself is the good value, and no share, count or rate is
#: between the two.
ABOVE_ZERO: Final = 1e-6
#: Grafana's units of what is counted per second.
_PER_SECOND: Final = frozenset({"cps", "reqps"})


def threshold_steps(
    alerts: Iterable[Alert],
    exprs: Sequence[str],
    unit: str,
    *,
    bad_from: float | None = None,
    bad_below: float | None = None,
) -> list[dict[str, Any]]:
    """Colours of a panel's values, lowest first.

    Args:
        alerts: that judge what the panel shows.
        exprs: its queries; a rule that compares several series has a limit for each.
        unit: Grafana's. Of a rate, a limit of a count is divided by the time it is counted over.
        bad_from: a value from which on it is bad in itself.
        bad_below: a value below which it is.

    Each value has the colour of the worst alert that fires on it: colours never get better while values get worse.
    """
    marks = [(limit_on(alert, exprs, unit), _severity(alert)) for alert in alerts]
    marks += [(Limit(">=", bad_from) if bad_from is not None else None, _CRITICAL)]
    marks += [(Limit("<", bad_below) if bad_below is not None else None, _CRITICAL)]
    limits = [(limit, severity) for limit, severity in marks if limit is not None]
    starts = sorted({_start(limit) for limit, _severity in limits})
    steps: list[dict[str, Any]] = []
    for start in (None, *starts):
        colour = COLOURS[max((severity for limit, severity in limits if _is_bad(start, limit)), default=_GOOD)]
        if not steps or steps[-1]["color"] != colour:
            steps.append({"color": colour, "value": start})
    return steps


def limit_on(alert: Alert, exprs: Sequence[str], unit: str) -> Limit | None:
    """What an alert compares a panel's numbers with; None when it compares with no number."""
    for series, limit in alert.on_series:
        if any(re.search(rf"{series}\b", expr) for expr in exprs):
            return limit
    if alert.limit is None or alert.counted_over_s is None or unit not in _PER_SECOND:
        return alert.limit
    return Limit(alert.limit.op, alert.limit.value / alert.counted_over_s)


def limits_as_rates(alerts: Iterable[Alert], unit: str) -> Iterator[str]:
    """A sentence for each limit of a count that is drawn on a rate: one event alone may touch it."""
    for alert in alerts:
        if alert.limit and alert.limit.value and alert.counted_over_s and unit in _PER_SECOND:
            minutes = alert.counted_over_s / 60
            yield f"{alert.name} fires from {alert.limit.value:g} in {minutes:g} minutes on; the line is that rate."


def _severity(alert: Alert) -> int:
    return _CRITICAL if alert.severity == "critical" else _WARNING


def _start(limit: Limit) -> float:
    return ABOVE_ZERO if limit == Limit(">", 0) else limit.value


def _is_bad(start: float | None, limit: Limit) -> bool:
    """Whether values from `start` to the next step, of the lowest ones without it, are over the limit."""
    if limit.op.startswith("<"):
        return start is None or start < limit.value
    return start is not None and start >= _start(limit)
