"""Why the day's quota is forecast by the last hour's rate, and not by a line of least squares through it (docs/adr/0065).

In: simulated days of quota units, minute by minute. Out: how far both forecasts are from what the day came to. Never: a
Loki: the question is which formula errs less, not whether Loki computes it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from statistics import median
from typing import Final

import pytest

MINUTES: Final = 1440
LIMIT: Final = 1_000_000
#: Units of one call, and how much of the quota days use: some run out, some do not.
CALL, TOTALS = 50, (0.3, 0.6, 0.8, 1.2, 1.5)


def even(_day: random.Random) -> list[float]:
    return [1.0] * MINUTES


def office(_day: random.Random) -> list[float]:
    """Ten busy hours around one o'clock, little before and after."""
    return [
        0.15 + 3 * math.sin(math.pi * (minute / 60 - 8) / 10) * (8 <= minute / 60 < 18) for minute in range(MINUTES)
    ]


def nightly(_day: random.Random) -> list[float]:
    """Long syncs from one to nine, quiet otherwise."""
    return [1.0 if 1 <= minute / 60 < 9 else 0.05 for minute in range(MINUTES)]


def bursts(day: random.Random) -> list[float]:
    """Eight bursts of 5 to 30 minutes, at 17 times what is usual."""
    rates = [0.5] * MINUTES
    for _ in range(8):
        begin = day.randrange(MINUTES)
        for minute in range(begin, min(MINUTES, begin + day.choice((5, 15, 30)))):
            rates[minute] += 8
    return rates


def day_of(shape: Callable[[random.Random], list[float]], day: random.Random) -> list[float]:
    """Units used by the end of each minute, 0 first; calls come at random around the shape."""
    rates, total = shape(day), day.choice(TOTALS) * LIMIT
    used = [0.0]
    for rate in rates:
        calls = rate / sum(rates) * total / CALL
        used.append(used[-1] + CALL * max(0, round(day.gauss(calls, math.sqrt(calls)))) * day.choice((0.6, 1, 1.4)))
    return used


def forecasts(used: list[float]) -> Iterator[tuple[float, float]]:
    """By rate and by least squares, as the rule looks: every four minutes, from a tenth of the quota until it is used up."""
    xs = [minute - 30 for minute in range(61)]
    for now in range(60, MINUTES, 4):
        if 0.1 * LIMIT <= used[now] < LIMIT:
            hour = used[now - 60 : now + 1]
            slope = sum(x * y for x, y in zip(xs, hour, strict=True)) / sum(x * x for x in xs)
            yield tuple(used[now] + per_minute * (MINUTES - now) for per_minute in ((hour[-1] - hour[0]) / 60, slope))


def errors(shape: Callable[[random.Random], list[float]]) -> tuple[list[float], list[float], list[int]]:
    """Of both, in shares of what the day came to, in order; days that do not run out, and how many of those each alerts on."""
    chosen, found, quiet = random.Random(3), ([], []), [0, 0, 0]
    for _ in range(60):
        used = day_of(shape, chosen)
        told = list(forecasts(used))
        for errs, values in zip(found, zip(*told, strict=True), strict=False):
            errs += [abs(value / used[-1] - 1) for value in values]
        if used[-1] < LIMIT:
            quiet[0] += 1
            for number in (0, 1):
                quiet[1 + number] += any(one[number] >= LIMIT for one in told)
    return sorted(found[0]), sorted(found[1]), quiet


@pytest.mark.parametrize("shape", [even, office, nightly, bursts])
def test_least_squares_do_not_forecast_a_day_better_than_the_hours_rate(shape: Callable[..., list[float]]) -> None:
    """Neither the usual error nor the great ones, by more than a fiftieth, nor days on which it alerts for nothing."""
    rate, line, (_quiet, by_rate, by_line) = errors(shape)
    assert len(rate) > 5_000
    assert median(rate) <= 1.02 * median(line)
    assert rate[len(rate) * 95 // 100] <= 1.02 * line[len(line) * 95 // 100]
    assert by_rate <= by_line
