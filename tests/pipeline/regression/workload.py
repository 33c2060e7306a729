"""Weeks of a service's life, minute by minute, as Loki's ruler would record them.

In: a seed and units (routes, API operations), each with what happens to it and when. Out: series as promtool reads them.
Never: a rule, a limit of one, or a value that was not drawn request by request.

Each request has a time (lognormal), a number of queries and an outcome. What it is drawn from moves with the day and the
week (traffic by a factor of 8, time with traffic), from day to day and from hour to hour (as deployments, neighbours and
caches do), and in bursts: minutes of slowness and of errors, a few a week, that no release has made.
"""

from __future__ import annotations

import math
import random
from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

DAY = 1440
WEEK = 7 * DAY
#: Window of the recorded series, min.
WINDOW = 5


@dataclass(frozen=True, slots=True)
class Unit:
    """A route, or an operation of the API.

    Attributes:
        name: its label's value.
        per_minute: requests at noon of a working day.
        time_ms: median response time without load.
        spread: sigma of the lognormal response time; p95 is time_ms * exp(1.645 * spread).
        queries: of a request, on average.
        error_ratio: of requests, apart from outages.
        slower, more_queries, more_errors: what a release does to it: factor, number, share.
        is_operation: of the API; it has no queries and its errors are not looked at.
    """

    name: str
    per_minute: float = 12
    time_ms: float = 150
    spread: float = 0.6
    queries: float = 6
    error_ratio: float = 0.002
    slower: float = 1
    more_queries: float = 0
    more_errors: float = 0
    is_operation: bool = False


def traffic(minute: int) -> float:
    """Share of the busiest traffic, 0.12 to 1: a working day from 7 to 19, half an hour's shape, a third of it at weekends."""
    day, hour = divmod(minute % WEEK, DAY)
    shape = 0.12 + 0.88 * max(0.0, math.sin(math.pi * (hour / 60 - 6) / 14)) ** 0.7 if 360 < hour < 1200 else 0.12
    return shape * (1 if day < 5 else 0.35)


@dataclass(frozen=True, slots=True)
class Minute:
    """What one minute's requests were."""

    times_ms: list[float]
    queries: int
    errors: int


def minutes(unit: Unit, length: int, release_at: int, random_: random.Random) -> Iterator[Minute]:
    """The unit's life, `length` minutes from a Monday 00:00 on; from minute `release_at` on with what the release does."""
    drift = day_factor = 0.0
    slow_until = outage_until = -1
    burst = 1.0
    for minute in range(length):
        if minute % DAY == 0:
            day_factor = random_.gauss(0, 0.05)
        drift = 0.983 * drift + random_.gauss(0, 0.009)  # wanders by 5 % within the hour
        if minute > slow_until and random_.random() < 3 / WEEK:
            slow_until, burst = minute + random_.randint(2, 20), random_.uniform(1.5, 6)
        if minute > outage_until and random_.random() < 2 / WEEK:
            outage_until = minute + random_.randint(2, 12)
        load = traffic(minute)
        is_new = minute >= release_at
        level = unit.time_ms * (1 + 0.4 * load) * math.exp(day_factor + drift)
        level *= (burst if minute <= slow_until else 1) * (unit.slower if is_new else 1)
        failing = unit.error_ratio + (0.4 if minute <= outage_until else 0) + (unit.more_errors if is_new else 0)
        count = poisson(unit.per_minute * load * math.exp(drift), random_)
        queries = (unit.queries + (unit.more_queries if is_new else 0)) * count
        yield Minute(
            [level * random_.lognormvariate(0, unit.spread) for _ in range(count)],
            # Most requests ask the same; some ask for more, as accounts of different sizes do.
            round(queries) + poisson(0.5 * count * math.exp(day_factor), random_),
            sum(random_.random() < failing for _ in range(count)),
        )


def recorded(unit: Unit, length: int, release_at: int, random_: random.Random) -> dict[str, list[float | None]]:
    """The series Loki's ruler would have recorded over the 5 minutes before, minute by minute.

    None where there was no request, and where the ruler does not look: at requests it does every other minute
    (`interval` in `http.request_finished.json`), at calls of the API every minute. Quantiles are interpolated as
    `quantile_over_time` does.
    """
    window: deque[Minute] = deque()
    ordered: list[float] = []
    p95: list[float | None] = []
    rate: list[float | None] = []
    queries: list[float | None] = []
    errors: list[float | None] = []
    for number, minute in enumerate(minutes(unit, length, release_at, random_)):
        window.append(minute)
        for value in minute.times_ms:
            insort(ordered, value)
        if len(window) > WINDOW:
            for value in window.popleft().times_ms:
                ordered.remove(value)
        count = len(ordered) if unit.is_operation or number % 2 == 0 else 0
        p95.append(quantile(ordered, 0.95) if count else None)
        rate.append(count / (60 * WINDOW) if count else None)
        queries.append(sum(part.queries for part in window) / count if count else None)
        errors.append(sum(part.errors for part in window) / count if count else None)
    return {"p95": p95, "rate": rate, "queries": queries, "errors": errors}


def quantile(ordered: list[float], q: float) -> float:
    """By linear interpolation between the two nearest ranks."""
    rank = q * (len(ordered) - 1)
    low = math.floor(rank)
    return ordered[low] + (rank - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def poisson(mean: float, random_: random.Random) -> int:
    """A Poisson count: Knuth's multiplication; the normal distribution above 50."""
    if mean > 50:
        return max(0, round(random_.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, random_.random()
    while product > limit:
        count, product = count + 1, product * random_.random()
    return count
