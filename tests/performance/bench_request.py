"""What observing a request costs: CPU added over bare Django by this project, beside what people use today.

In: nothing. Out: CPU per request of each variant, what it adds over bare Django, and our share of django-prometheus's.
Never: a socket, a number taken from another run.

Instrumentation cannot be taken off again, so each variant has processes of its own (`request_variants`): several, because one
may be slower than another for good, by where its memory lies. All are alive at once and serve in turns, the others waiting:
the machine's own speed changes from one half minute to the next by more than what is measured. What a library does in threads
of its own counts: the CPU time is the process's.
django-prometheus keeps counters in memory and writes nothing, so it does less than the others; it is the target for that reason.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.performance.request_variants import VARIANTS
from tests.performance.side_by_side import (
    Row,
    Spread,
    benchmark_main,
    differences,
    interleave,
    undisturbed,
)

#: Requests per turn: some 150 ms, so that the first one, which finds the processor's caches full of the turn before, weighs
#: little.
_REQUESTS = 50
#: What is added to stay under, whichever is larger: milliseconds, or a share of what django-prometheus adds in the run.
TARGET_MS, TARGET_SHARE = 0.1, 0.4
#: Processes of each variant, and turns of each process.
_QUICK_PROCESSES, _FULL_PROCESSES = 2, 8
_QUICK_TURNS, _FULL_TURNS = 16, 30


class Site:
    """One process of a variant.

    Args:
        variant: name of it.
        number: of the process. Those of one number have one hash seed, or one variant would have more luck with its
            dictionaries; those of a variant have different ones, or luck would be all that is measured.
        scratch: for all files.
    """

    def __init__(self, variant: str, number: int, scratch: Path) -> None:
        self._variant = variant
        directory = scratch / f"{variant}-{number}"
        directory.mkdir()
        command = [sys.executable, "-m", "tests.performance.request_variants", variant, str(directory)]
        # No settings but those of the variant.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("LOGPIPE_", "DJANGO_", "OTEL_"))}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment | {"PYTHONHASHSEED": str(number)},
        )
        self.body_bytes = int(self._answer())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def serve(self) -> list[float]:
        """Serve one turn and return the CPU milliseconds of each request."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{_REQUESTS}\n")
        self._process.stdin.flush()
        return [int(nanoseconds) / 1e6 for nanoseconds in self._answer().split()]

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(
                f"{self._variant}: its process ended with status {self._process.wait()}; see its error above"
            )
        return line


def measure(quick: bool) -> list[Row]:
    """Measure all variants."""
    processes = _QUICK_PROCESSES if quick else _FULL_PROCESSES
    taken = _serve_in_turns(processes, _QUICK_TURNS if quick else _FULL_TURNS)
    turns = {name: [statistics.fmean(turn) for turn in chain.from_iterable(taken[name])] for name in VARIANTS}
    # By the request: on a busy machine no turn passes undisturbed, but many a request does. The garbage collector's runs are
    # not in these then: one in 15 requests, of bare Django and with ours; one in 7 with django-prometheus.
    alone = {name: [undisturbed([*chain.from_iterable(process)]) for process in taken[name]] for name in VARIANTS}
    others = [name for name in VARIANTS if name != "bare"]
    # Each of its processes against each bare one: the median of all pairs is the estimator of Hodges and Lehmann (1963),
    # which neither a lucky process nor an unlucky one moves much.
    added = {name: Spread.of(cost - bare for cost in alone[name] for bare in alone["bare"]) for name in others}
    ours, theirs = added["logging_pkg"].median, added["django-prometheus"].median
    limit = max(TARGET_MS, TARGET_SHARE * theirs)
    return [
        Row("bare Django, 5 ORM queries, CPU per request", Spread.of(turns["bare"]).show(".2f", " ms")),
        *(
            Row(f"{name} adds, all turns", differences(turns[name], turns["bare"]).show("+.3f", " ms"))
            for name in others
        ),
        *(Row(f"{name} adds, undisturbed", spread.show("+.3f", " ms")) for name, spread in added.items()),
        Row("added by logging_pkg / by django-prometheus", f"{ours / theirs:.2f}x"),
        Row("added by logging_pkg", f"{ours * 1000:.0f} us", f"< {limit * 1000:.0f} us", ours < limit),
    ]


def _serve_in_turns(processes: int, turns: int) -> dict[str, list[list[list[float]]]]:
    """CPU milliseconds of each request, by turn, by process, by variant."""
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        sites = {
            (name, number): stack.enter_context(Site(name, number, Path(scratch)))
            for number in range(processes)
            for name in VARIANTS
        }
        assert len({site.body_bytes for site in sites.values()}) == 1, "the variants serve different pages"
        taken = interleave({key: site.serve for key, site in sites.items()}, turns)
        return {name: [taken[name, number] for number in range(processes)] for name in VARIANTS}


if __name__ == "__main__":
    benchmark_main("What observing a request costs", measure)
