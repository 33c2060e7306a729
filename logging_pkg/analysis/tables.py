"""Tables of events: which groups, which numbers of each. Told once, computed from events here or by Loki elsewhere.

In: a Table, events. Out: TableRows. Never: I/O, a group's number that the other way would not give.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: `stddev` is the population's, as stddev_over_time is.
#: `p50`, `p95` and `p99` are exact, by linear interpolation between the nearest ranks, as quantile_over_time is.
Function = Literal["count", "sum", "mean", "stddev", "max", "p50", "p95", "p99"]
#: How a number is written: nothing for a plain one.
Unit = Literal["", "ms", "ratio", "bytes"]
QUANTILES: Mapping[str, float] = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Column:
    """A number of every group: of `field`, or for `count` of its events."""

    title: str
    function: Function
    field: str = ""
    unit: Unit = ""


@dataclass(frozen=True, slots=True)
class Table:
    """What to show of one event.

    Attributes:
        title: what a person calls it.
        event: its name.
        by: the fields that make a group; a missing or null one is the empty text.
        columns: numbers of each group.
        sort_by: title of the column by which the highest come first.
        where: fields and the texts they must have.
    """

    title: str
    event: str
    by: tuple[str, ...]
    columns: tuple[Column, ...]
    sort_by: str
    where: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TableRow:
    """A group and its numbers, in the order of the columns; None where no event had one."""

    key: tuple[str, ...]
    values: tuple[float | None, ...]


def table_rows(table: Table, events: Iterable[Mapping[str, Any]], limit: int | None = None) -> list[TableRow]:
    """The rows of a table, from events of any kind.

    Args:
        table: what to compute.
        events: others than the table's are passed over.
        limit: how many rows at most.
    """
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for event in events:
        if event["event"] == table.event and all(as_label(event.get(field)) == text for field, text in table.where):
            groups.setdefault(tuple(as_label(event.get(field)) for field in table.by), []).append(event)
    return in_order(
        table,
        [TableRow(key, tuple(_value(column, group) for column in table.columns)) for key, group in groups.items()],
        limit,
    )


def in_order(table: Table, rows: Iterable[TableRow], limit: int | None = None) -> list[TableRow]:
    """The highest first; those without a number last; ties by name."""
    place = [column.title for column in table.columns].index(table.sort_by)

    def rank(row: TableRow) -> tuple[bool, float, tuple[str, ...]]:
        value = row.values[place]
        return value is None, -(value or 0.0), row.key

    return sorted(rows, key=rank)[:limit]


def as_label(value: object) -> str:
    """A field's value as LogQL's json parser makes a label of it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def quantile(share: float, values: Iterable[float]) -> float:
    """By linear interpolation (Hyndman and Fan's type 7, as Prometheus and numpy have it); of no value, nan."""
    ranked = sorted(values)
    if not ranked:
        return float("nan")
    place = share * (len(ranked) - 1)
    low = int(place)
    weight = place - low
    return ranked[low] * (1 - weight) + ranked[min(low + 1, len(ranked) - 1)] * weight


def _value(column: Column, events: list[Mapping[str, Any]]) -> float | None:
    if column.function == "count":
        return float(len(events))
    values = [float(value) for event in events if isinstance(value := event.get(column.field), int | float)]
    if not values:
        return None
    match column.function:
        case "sum":
            return sum(values)
        case "mean":
            return sum(values) / len(values)
        case "max":
            return max(values)
        case "stddev":
            return statistics.pstdev(values)
    return quantile(QUANTILES[column.function], values)
