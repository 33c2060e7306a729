"""What observing a request costs: CPU added over bare Django by this project, beside what people use today.

In: nothing. Out: CPU per request of each variant, what it adds over bare Django, and our share of django-prometheus's.
Never: a socket, a number taken from another run.

Every variant is a process of its own (`request_variants`), because instrumentation cannot be taken off again; all are alive
at once and serve in turns, the others waiting. What a library does in threads of its own counts: the CPU time is the process's.
django-prometheus keeps counters in memory and writes nothing, so it does less than the others; it is the target for that reason.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.performance.request_variants import VARIANTS
from tests.performance.side_by_side import (
    FULL_ROUNDS,
    QUICK_ROUNDS,
    Row,
    Spread,
    benchmark_main,
    differences,
    interleave,
    undisturbed,
)

#: Requests per turn: some 120 ms, so that the first ones, which find the processor's caches full of the turn before,
#: weigh little.
_REQUESTS = 100
#: What is added to stay under, whichever is larger: milliseconds, or a share of what django-prometheus adds in the run.
TARGET_MS, TARGET_SHARE = 0.1, 0.4
#: Sets of processes in a full run: a process may be 2 % slower than its twin for good, by where its memory lies, which
#: is as much as what is measured.
_FULL_SETS = 6


class Site:
    """A variant's process."""

    def __init__(self, variant: str, scratch: Path) -> None:
        self._variant = variant
        directory = scratch / variant
        directory.mkdir()
        command = [sys.executable, "-m", "tests.performance.request_variants", variant, str(directory)]
        # No settings but those of the variant; equal hash seeds, so that no process has luck with its dictionaries.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LOGPIPE_", "DJANGO_", "OTEL_"))}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment | {"PYTHONHASHSEED": "0"}
        )
        self.body_bytes = int(self._answer())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def serve(self) -> float:
        """Serve one turn and return CPU milliseconds per request."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{_REQUESTS}\n")
        self._process.stdin.flush()
        return float(self._answer()) / _REQUESTS * 1000

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(
                f"{self._variant}: its process ended with status {self._process.wait()}; see its error above"
            )
        return line


def measure(quick: bool) -> list[Row]:
    """Measure all variants, in several sets of processes when there is time."""
    sets = [
        _measure_set(QUICK_ROUNDS if quick else FULL_ROUNDS // _FULL_SETS) for _ in range(1 if quick else _FULL_SETS)
    ]
    taken = {name: [cost for costs in sets for cost in costs[name]] for name in VARIANTS}
    added = {name: differences(taken[name], taken["bare"]) for name in VARIANTS if name != "bare"}
    # The median over sets, so that neither a lucky process nor an unlucky one decides.
    alone = {
        name: statistics.median(undisturbed(costs[name]) - undisturbed(costs["bare"]) for costs in sets)
        for name in added
    }
    ours, theirs = alone["logging_pkg"], alone["django-prometheus"]
    limit = max(TARGET_MS, TARGET_SHARE * theirs)
    return [
        Row("bare Django, 5 ORM queries, CPU per request", Spread.of(taken["bare"]).show(".2f", " ms")),
        *(Row(f"{name} adds, all rounds", spread.show("+.3f", " ms")) for name, spread in added.items()),
        *(Row(f"{name} adds, undisturbed", f"{cost:+.3f} ms") for name, cost in alone.items()),
        Row("added by logging_pkg / by django-prometheus", f"{ours / theirs:.2f}x"),
        Row("added by logging_pkg", f"{ours * 1000:.0f} us", f"< {limit * 1000:.0f} us", ours < limit),
    ]


def _measure_set(rounds: int) -> dict[str, list[float]]:
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        sites = {name: stack.enter_context(Site(name, Path(scratch))) for name in VARIANTS}
        assert len({site.body_bytes for site in sites.values()}) == 1, "the variants serve different pages"
        turns: dict[str, Callable[[], float]] = {name: site.serve for name, site in sites.items()}
        return interleave(turns, rounds)


if __name__ == "__main__":
    benchmark_main("What observing a request costs", measure)
