"""What a service level objective says, and the numbers that follow from it.

In: nothing. Out: frozen values. Never: I/O, LogQL or PromQL.

Windows and factors are those of the Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"
(https://sre.google/workbook/alerting-on-slos/): who would have used up a share of the budget in the long window is
told, if it goes on in the short one. For a window of 30 days the burn rates are 14.4, 6, 3 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Who is given fewer bad events than this in the long window is not told: with little traffic one is over any ratio.
DEFAULT_LEAST_BAD_EVENTS: Final = 5
NEGATED: Final[Mapping[str, str]] = {"<=": ">", "<": ">=", ">=": "<", ">": "<=", "=": "!=", "!=": "="}


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """Two windows, and the share of the budget that is used up over the long one at the burn rate that is told of."""

    long: str
    long_h: int
    short: str
    budget_share: float


PAGE: Final = (BurnWindow("1h", 1, "5m", 0.02), BurnWindow("6h", 6, "30m", 0.05))
TICKET: Final = (BurnWindow("1d", 24, "2h", 0.10), BurnWindow("3d", 72, "6h", 0.10))
#: Every window a burn rate is recorded over, shortest first.
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective.

    Attributes:
        name: lower case words, `key_routes_latency`; label `slo` of every series.
        where: field -> the values it counts for, or a regular expression that the whole value has to match.
        field, op, limit: what makes an event good, `response_time_ms <= 500`.
        objective: the share of good events, 0.95.
        window_days: over how many days.
        least_bad_events: in the long window of an alert, before it tells anybody.
    """

    name: str
    description: str
    event: str
    where: Mapping[str, tuple[str, ...] | str]
    field: str
    op: str
    limit: str
    objective: float
    window_days: int
    least_bad_events: int = DEFAULT_LEAST_BAD_EVENTS

    @property
    def budget(self) -> float:
        """The share of events that may be bad."""
        return round(1 - self.objective, 12)

    @property
    def bad(self) -> str:
        """The opposite of `good`."""
        return f"{self.field} {NEGATED[self.op]} {self.limit}"

    @property
    def events_series(self) -> str:
        """Events of a minute."""
        return f"slo:{self.name}_events:count_1m"

    @property
    def bad_events_series(self) -> str:
        """Bad events of a minute; absent where there are none."""
        return f"slo:{self.name}_bad_events:count_1m"

    @property
    def page_name(self) -> str:
        """The alert that wakes somebody."""
        return f"{self._camel}SloPage"

    @property
    def ticket_name(self) -> str:
        """The alert that is looked at in working hours."""
        return f"{self._camel}SloTicket"

    def burn_rate(self, window: BurnWindow) -> float:
        """At which the window's share of the budget is used up over its long window: 14.4 = 2 % of 30 days in 1 h."""
        return round(window.budget_share * self.window_days * 24 / window.long_h, 9)

    @property
    def _camel(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("_"))
