"""Run every benchmark and put what they found into one table.

In: `python -m tests.performance.run [--quick | --full]`. Out: a table of what was measured, its target and the verdict.
Never: a failed run because of a missed target (speed is no test), a number of an earlier run.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from tests.performance import (
    bench_console,
    bench_emit,
    bench_request,
    bench_rules,
    bench_scaling,
    bench_shipper,
    bench_timeline,
)
from tests.performance.side_by_side import Row, parse_size, show


def _ship(quick: bool) -> list[Row]:
    result = bench_shipper.measure(20_000 if quick else 200_000)
    target = bench_shipper.TARGET_US
    lost = result.events - result.stored
    return [
        Row("shipper, events per second", f"{result.events / result.seconds:,.0f}"),
        Row("events shipped and not stored", f"{lost:,} of {result.events:,}", "0", lost == 0),
        Row("Loki's own CPU per event", f"{result.loki_us:.1f} us"),
        Row(
            "shipper CPU per event, tail, checkpoint and checks on",
            f"{result.shipper_us:.1f} us",
            f"<= {target:.0f} us",
            result.shipper_us <= target,
        ),
        Row("a plain loop without any of that, CPU per event", f"{result.plain_us:.1f} us"),
        Row("shipper / plain loop", f"{result.shipper_us / result.plain_us:.2f}x"),
    ]


#: From the smallest part to the whole.
BENCHMARKS: Mapping[str, Callable[[bool], Sequence[Row]]] = {
    "bench_emit": bench_emit.measure,
    "bench_request": bench_request.measure,
    "bench_scaling": bench_scaling.measure,
    "bench_shipper": _ship,
    "bench_rules": bench_rules.measure,
    "bench_console": bench_console.measure,
    "bench_timeline": bench_timeline.measure,
}


def main() -> int:
    """Return 1 when a benchmark could not be run, and 0 however fast or slow things are."""
    quick = parse_size("All benchmarks of this project")
    rows: list[Row] = []
    failed = []
    for name, measure in BENCHMARKS.items():
        print(f"{name} …", flush=True)
        try:
            rows += measure(quick)
        except Exception:
            traceback.print_exc()
            failed.append(name)
    show(rows, "All benchmarks" + (", quick" if quick else ""))
    missed = [row.name for row in rows if row.is_met is False]
    print(f"Missed: {'; '.join(missed)}" if missed else f"All {sum(row.is_met is True for row in rows)} targets met.")
    if failed:
        print(f"Could not be run: {', '.join(failed)}; the errors are above", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
