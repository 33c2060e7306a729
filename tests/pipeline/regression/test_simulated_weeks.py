"""The shipped regression rules over simulated weeks: no false alarm, and every regression that matters within the hour."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pipeline.regression.simulation import simulate
from tests.pipeline.regression.workload import DAY, WEEK, Unit

#: What the release makes worse, and the alert that has to tell of it.
WORSE = {
    "RouteLatencyRegressed": [
        Unit("/slower/2/", slower=2),
        Unit("/slower/3/", slower=3),
        Unit("/slower/5/", slower=5),
    ],
    "RouteQueriesRegressed": [Unit("/queries/1/", more_queries=1), Unit("/queries/50/", more_queries=50)],
    "RouteErrorsRegressed": [Unit("/errors/10/", more_errors=0.1), Unit("/errors/100/", more_errors=1)],
    "GoogleLatencyRegressed": [
        Unit("events.get", is_operation=True, time_ms=120, slower=2),
        Unit("events.watch", is_operation=True, time_ms=120, slower=4),
    ],
}
#: What it leaves alone, or makes worse by less than anybody would get up for: busy, quiet, failing, or with few requests.
FINE = [
    Unit("/busy/", per_minute=30),
    Unit("/quiet/", per_minute=3, error_ratio=0.005),
    Unit("/failing/", error_ratio=0.03),
    Unit("/slower/1.1/", slower=1.1),
    Unit("events.list", is_operation=True, time_ms=120),
]
#: Found or not: 60 % are near what a route with 12 requests a minute does by itself (docs/adr/0063: two in three are found).
NEAR = Unit("/slower/1.6/", slower=1.6)
SITE = [NEAR, *(unit for units in WORSE.values() for unit in units), *FINE]
PROMISED_MIN = 60


def check(units: list[Unit], release_at: int, seed: int, folder: Path) -> int:
    """Simulate, and compare what is found with what is worse; the number of judgements before the release."""
    found = simulate(units, release_at, seed, folder)
    names = {unit.name for unit in units}
    expected = {(alert, unit.name) for alert, worse in WORSE.items() for unit in worse if unit.name in names}
    if report := os.environ.get("REGRESSION_REPORT"):
        lines = [f"seed {seed}: {found.judged} judgements, false alarms {found.false_alarms}"]
        lines += [
            f"  {alert} {name}: {minutes} min" for (alert, name), minutes in sorted(found.found_after_min.items())
        ]
        with Path(report).open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    assert found.false_alarms == {}
    assert set(found.found_after_min) - {("RouteLatencyRegressed", NEAR.name)} == expected
    assert max(found.found_after_min[one] for one in expected) <= PROMISED_MIN
    assert found.releases == {"1.0": -release_at, "1.1": 0}
    return found.judged


@pytest.mark.timeout(900)
def test_regressions_are_found_within_the_hour_and_nothing_else(tmp_path: Path) -> None:
    """A week for the baselines, two days and a morning judged, then a release; one unit of each kind."""
    chosen = ("/slower/2/", "/queries/1/", "/errors/10/", "events.get", "/busy/", "/slower/1.1/")
    units = [unit for unit in SITE if unit.name in chosen]
    assert check(units, WEEK + 2 * DAY + 10 * 60, seed=3, folder=tmp_path) > 5_000


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [11, 12])
def test_four_clean_weeks_have_no_false_alarm(seed: int, tmp_path: Path) -> None:
    """A week for the baselines, four weeks judged, then a release on a Monday morning; all units."""
    assert check(SITE, 5 * WEEK + 10 * 60, seed, tmp_path) > 170_000
