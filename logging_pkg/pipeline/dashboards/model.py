"""What a dashboard says, before it is Grafana's JSON.

In: nothing. Out: frozen values that the catalogue is written in. Never: JSON, a place on the screen, a limit that an
alert rule has.
"""

from __future__ import annotations

import string
from collections import defaultdict
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["timeseries", "stat", "table", "bargauge", "logs", "text"]
Source: TypeAlias = Literal["prometheus", "loki"]

#: What the variables that every dashboard has choose, for the braces of PromQL and LogQL alike.
CHOSEN: Final = 'service_name=~"$service_name", env=~"$env"'
#: How the sentence of a description begins that tells why there is no limit.
NO_LIMIT: Final = "No limit:"
#: … and the one that tells which queries, by their letters, have nothing to show in a new system, and why.
MAY_BE_EMPTY: Final = "May be empty"
#: What Grafana calls a panel's queries (`refId`), in their order.
LETTERS: Final = string.ascii_uppercase
#: Columns of Grafana's grid.
GRID_WIDTH: Final = 24
#: Grid rows of a panel of each kind; a row is 30 pixels high, with 8 between two.
HEIGHTS: Final[dict[Kind, int]] = {"timeseries": 8, "stat": 4, "table": 9, "bargauge": 8, "logs": 10, "text": 12}
WIDTHS: Final[dict[Kind, int]] = {"timeseries": 12, "stat": 4, "table": 12, "bargauge": 12, "logs": 24, "text": 24}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel.

    Attributes:
        expr: PromQL or LogQL, by the panel's source.
        legend: Grafana's template, `{{route}}`; of a table, the column's name.
        unit: of a table's column, where it is not the panel's.
        source: which data source answers, where it is not the panel's.
        step: of a LogQL query over time, where Grafana's choice would not do, such as `1d`.
        alerts: of a table's column, names of the alert rules whose limits colour its numbers.
        bad_below: of a table's column, a value below which is bad in itself.
        may_be_empty: why a system that works may have nothing to show, such as one that has no week behind it; the
            panel's description tells it. Any other query has data once there is traffic.
    """

    expr: str
    legend: str = ""
    unit: str = ""
    source: Source | None = None
    step: str = ""
    alerts: tuple[str, ...] = ()
    bad_below: float | None = None
    may_be_empty: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: unique on its dashboard; the panel's id, which alerts link to, follows from it.
        description: what it shows, computed how, and what to make of it.
        queries: none for a text.
        kind: Grafana's panel type.
        source: which data source answers.
        unit: Grafana's id of the unit.
        logs: LogQL of the lines behind it, for Explore.
        alerts: names of the alert rules about it: their limits are its thresholds, their runbooks its links.
        runbooks: names of alert rules that judge something else than this panel shows: they are its links only.
        bad_from, bad_below: a value that is bad in itself, where no alert has a limit; such as one alert firing.
        no_limit: why no limit is drawn, where neither an alert nor the number itself has one; the description tells it.
        empty: what stands there when there is no data.
        width: columns of the grid; 0 is the kind's usual one.
        is_stacked: whether the lines are parts of a whole.
        content: Markdown of a text.
        is_oldest_first: of logs, the order; the newest is first otherwise.
    """

    title: str
    description: str
    queries: tuple[Query, ...] = ()
    kind: Kind = "timeseries"
    source: Source = "prometheus"
    unit: str = "short"
    logs: str = ""
    alerts: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    bad_from: float | None = None
    bad_below: float | None = None
    no_limit: str = ""
    empty: str = "Nothing in this time range"
    width: int = 0
    is_stacked: bool = False
    content: str = ""
    is_oldest_first: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height on the grid."""
        return self.width or WIDTHS[self.kind], HEIGHTS[self.kind]

    @property
    def told(self) -> str:
        """The description, why no limit is drawn, and which queries may have nothing to show."""
        letters = defaultdict(list)
        for letter, query in zip(LETTERS, self.queries, strict=False):
            if query.may_be_empty:
                letters[query.may_be_empty].append(letter)
        parts = [self.description]
        if self.no_limit:
            parts.append(f"{NO_LIMIT} {self.no_limit}")
        parts += [f"{MAY_BE_EMPTY} ({', '.join(of_reason)}): {reason}." for reason, of_reason in letters.items()]
        return "\n\n".join(parts)


@dataclass(frozen=True, slots=True)
class MetricPanel:
    """A panel of one metric of a schema (`x-metrics`): title, description, unit, queries and logs follow from it.

    Attributes:
        event: the event's name.
        metric: the metric's.
        only: of a histogram, the quantiles to show.
        title, description, empty, kind, alerts, runbooks, bad_from, no_limit, width, is_stacked: as of a Panel; empty
            ones follow.
    """

    event: str
    metric: str
    alerts: tuple[str, ...] = ()
    only: tuple[str, ...] = ("p50", "p95", "p99")
    title: str = ""
    description: str = ""
    empty: str = ""
    kind: Kind = "timeseries"
    runbooks: tuple[str, ...] = ()
    bad_from: float | None = None
    no_limit: str = ""
    width: int = 0
    is_stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading.

    Attributes:
        title: the heading; empty makes none.
        panels: side by side, in reading order.
        needs: a recorded series without which the project has no use for them, such as one of rules it does not have.
    """

    title: str
    panels: tuple[Panel | MetricPanel, ...]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of a dashboard.

    Attributes:
        name: as in `$name`.
        query: PromQL `label_values(…)` that lists the choices; empty makes it a field to type in.
        default: what a field to type in holds at first.
        description: what to choose.
    """

    name: str
    query: str = ""
    default: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard.

    Attributes:
        uid: its address, `/d/UID`, and its file's name.
        title: as listed.
        description: which question it answers.
        rows: its panels.
        guide: Markdown: which panel to look at first, what is usual, what to do; where panels without an alert lead.
        variables: beyond data sources, service_name and env.
        time_from: the time range it opens with.
        has_services: whether it has the variables service_name and env.
        is_live: whether it refreshes by itself and marks releases and alerts.
    """

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()
    guide: str = ""
    time_from: str = "now-6h"
    has_services: bool = True
    is_live: bool = True
