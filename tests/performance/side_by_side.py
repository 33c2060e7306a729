"""Measure variants against each other in one run, so that a busy machine is busy for all of them.

In: variants as callables that return the CPU time of one round. Out: rounds, ratios with their spread, result rows, tables.
Never: compares numbers of two runs, fails because something was slow.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.console import Console
from rich.table import Table

Name = TypeVar("Name")
Cost = TypeVar("Cost")


@dataclass(frozen=True, slots=True)
class Row:
    """One result: what was measured, how much, and what it should be.

    Attributes:
        name: what was measured.
        measured: the number with its unit, as shown.
        target: what it should be, as shown; empty where it is there to compare with.
        is_met: whether it is; None without a target.
    """

    name: str
    measured: str
    target: str = ""
    is_met: bool | None = None

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing without a target."""
        return "" if self.is_met is None else "met" if self.is_met else "missed"


@dataclass(frozen=True, slots=True)
class Spread:
    """The median over rounds, and the quartiles between which half of the rounds lay."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Summarise one value per round; at least two."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    def show(self, form: str = ".2f", unit: str = "x") -> str:
        """Median and quartiles: `1.08x (1.05 … 1.11)`."""
        return f"{self.median:{form}}{unit} ({self.low:{form}} … {self.high:{form}})"


def interleave(variants: Mapping[Name, Callable[[], Cost]], rounds: int) -> dict[Name, list[Cost]]:
    """Run every variant once a round and return what each returned, round by round.

    The order changes round by round (ABC, ACB, BCA, BAC …): every variant runs as often first as last, and as often
    before another as after it. One round before the first is thrown away.
    """
    taken: dict[Name, list[Cost]] = {name: [] for name in variants}
    names = list(variants)
    for turn in range(rounds + 1):
        shift = turn // 2 % len(names)
        order = names[shift:] + names[:shift]
        for name in order if turn % 2 else reversed(order):
            cost = variants[name]()
            if turn:
                taken[name].append(cost)
    return taken


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Ratio of two variants, taken within each round."""
    return Spread.of(a / b for a, b in zip(numerators, denominators, strict=True))


def differences(values: Sequence[float], baseline: Sequence[float]) -> Spread:
    """Difference of two variants, taken within each round."""
    return Spread.of(a - b for a, b in zip(values, baseline, strict=True))


def undisturbed(values: Sequence[float]) -> float:
    """The mean of the fastest tenth of the rounds, or of the parts of them.

    CPU time is a thing's own and what the machine's other users add to it by driving its data out of the caches they
    share. The second part is never less than nothing, and comes and goes: the fastest rounds have the least of it.
    """
    fastest = sorted(values)[: max(1, len(values) // 10)]
    return statistics.fmean(fastest)


def show(rows: Sequence[Row], title: str) -> None:
    """Print rows as a table."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("measured")
    table.add_column("result", justify="right")
    table.add_column("target", justify="right")
    table.add_column("verdict")
    for row in rows:
        style = {True: "green", False: "red", None: ""}[row.is_met]
        table.add_row(row.name, row.measured, row.target, f"[{style}]{row.verdict}[/]" if style else "")
    # Wide enough for a table in a log file, where rich would take 80 columns.
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def parse_size(description: str) -> bool:
    """Parse the command line of a benchmark; True for a quick run."""
    parser = argparse.ArgumentParser(description=description)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer rounds: a look, not a verdict")
    size.add_argument("--full", action="store_true", help="all rounds (default)")
    return bool(parser.parse_args().quick)


def benchmark_main(title: str, measure: Callable[[bool], Sequence[Row]]) -> None:
    """The program of one benchmark: measure and print the table.

    Args:
        title: of the table.
        measure: does the work; told whether it shall be quick.
    """
    show(measure(parse_size(title)), title)
