"""The last hour beside its baseline: what alerts of regressions compare.

In: expressions of recorded series (loki/prometheus_rules/regression.yaml). Out: a Row of Panels. Never: a limit; the
alerts' rules have those, as shares and amounts over a baseline that differs from route to route.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logging_pkg.pipeline.dashboards.model import GRID_WIDTH, Panel, Query, Row

_HISTORY: Final = "a baseline takes this hour of two of the last seven days, with requests enough in each"


@dataclass(frozen=True, slots=True)
class Compared:
    """What one alert compares.

    Attributes:
        title: of the panel.
        alert: the rule's name.
        by: the label that tells the lines apart.
        now, baseline, noise: PromQL of each.
        series: the 45 minutes of which `now` is a quartile where there is enough to be judged, a range vector. The
            ruler's series, since Prometheus's own come every five minutes.
        unit: Grafana's.
        logs: LogQL of the lines behind it.
        bound: whether a worse value is one that was `at least` so high, or `at most`.
        noise_name, noise_told: of the third line, in the legend and in the description.
    """

    title: str
    alert: str
    by: str
    now: str
    series: str
    baseline: str
    noise: str
    unit: str
    logs: str
    bound: str = "at least"
    noise_name: str = "noise"
    noise_told: str = "how much it usually differs from the day before."


def beside_baseline(needs: str, *compared: Compared) -> Row:
    """A row with a panel for each; without the series `needs` a project has no use for it."""
    width = GRID_WIDTH // len(compared)
    return Row("Against the last seven days", tuple(_panel(one, width) for one in compared), needs=needs)


def _panel(one: Compared, width: int) -> Panel:
    quartile = 0.25 if one.bound == "at least" else 0.75
    lines = (("baseline", one.baseline), (one.noise_name, one.noise))
    return Panel(
        one.title,
        f"Now: what three quarters of the last 45 minutes were {one.bound}. Baseline: this hour a week ago, or what "
        "four in five of the last seven days had at this hour, whichever is the worse. "
        f"{one.noise_name.capitalize()}: {one.noise_told} What is asked too seldom to be judged is drawn all the same.",
        (
            Query(f"{one.now} or quantile_over_time({quartile}, {one.series})", f"{{{{{one.by}}}}} now"),
            *(Query(expr, f"{{{{{one.by}}}}} {name}", may_be_empty=_HISTORY) for name, expr in lines),
        ),
        unit=one.unit,
        logs=one.logs,
        runbooks=(one.alert,),
        width=width,
        empty="Nothing in the last 45 minutes",
        no_limit=f"{one.alert} compares now with the baseline, by a share and an amount.",
    )
