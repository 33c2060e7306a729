"""How the cost of observing grows: with the number of routes, per query, and in memory over many requests.

In: nothing. Out: CPU added per request over one route and over 1,600; CPU added per query; memory gained.
Never: a socket, a number taken from another run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson

from tests.performance.side_by_side import Row, benchmark_main, differences, undisturbed

#: CPU per query, us, where an event of stock structlog takes 14: what both took on the machine the target was set on. Machines
#: differ by more than half, and this one from day to day; the two of them in one run do not.
QUERY_TARGET_US, STOCK_EVENT_US = 2.0, 14.0
#: Python's own heap is given back in arenas of 1 MiB: less than two of them is no growth.
MEMORY_TARGET_BYTES = 2 * 1024 * 1024


def measure(quick: bool) -> list[Row]:
    """Measure all in one process of its own."""
    with TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "tests.performance.scaling_site",
            str(Path(scratch)),
            "quick" if quick else "full",
        ]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    result = orjson.loads(answer)
    routes = result["routes"]
    one, every = (_added(routes, f"{name} watched", f"{name} bare") for name in ("one", "all"))
    one_rounds, every_rounds = (
        differences(routes[f"{name} watched"], routes[f"{name} bare"]) for name in ("one", "all")
    )
    query = result["query"]
    bare, stock = undisturbed(query["bare"]), undisturbed(query["stock event"])
    added, wrapped, prometheus = (_added(query, name, "bare") for name in ("watched", "wrapped", "django-prometheus"))
    repeated = _added(query, "watched same", "bare same")
    memory = result["memory"]
    gained = memory["after_all"] - memory["after_a_tenth"]
    return [
        Row("added per request without a query, one route, all rounds", one_rounds.show("+.1f", " us")),
        Row("added per request without a query, 1,600 routes, all rounds", every_rounds.show("+.1f", " us")),
        Row("added per request without a query, one route", f"{one:+.1f} us"),
        Row("added per request without a query, 1,600 routes", f"{every:+.1f} us"),
        Row("1,600 routes / one route", f"{every / one:.2f}x", "<= 1.1x", every / one <= 1.1),
        Row("a query, nobody watching", f"{bare:.1f} us"),
        Row("added per query, all rounds", differences(query["watched"], query["bare"]).show("+.2f", " us")),
        Row("added per query by a wrapper that does nothing", f"{wrapped:+.2f} us"),
        Row("added per query of an N+1", f"{repeated:+.2f} us"),
        Row("added per query by django-prometheus", f"{prometheus:+.2f} us"),
        Row("added per query", f"{added:+.2f} us"),
        Row("one event of stock structlog", f"{stock:.1f} us"),
        Row(
            "added per query / one event of stock structlog",
            f"{added / stock:.2f}x",
            f"< {QUERY_TARGET_US / STOCK_EVENT_US:.2f}x",
            added / stock < QUERY_TARGET_US / STOCK_EVENT_US,
        ),
        Row("added per query / by django-prometheus", f"{added / prometheus:.2f}x", "< 0.4x", added / prometheus < 0.4),
        Row(
            f"memory gained from request {memory['requests'] // 10:,} to {memory['requests']:,}",
            f"{gained / 1024:+,.0f} KiB",
            f"< {MEMORY_TARGET_BYTES // 1024:,} KiB",
            gained < MEMORY_TARGET_BYTES,
        ),
    ]


def _added(taken: Mapping[str, Sequence[float]], observed: str, bare: str) -> float:
    """What a variant costs more than another, where the machine's other users add least to both."""
    return undisturbed(taken[observed]) - undisturbed(taken[bare])


if __name__ == "__main__":
    benchmark_main("How the cost of observing grows", measure)
