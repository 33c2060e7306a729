"""Prints tables of events for people and for programs.

In: Tables with their rows. Out: text on a console, JSON values. Never: asks anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from logging_pkg.analysis.describe import short_statement
from logging_pkg.analysis.tables import Column, Table, TableRow
from logging_pkg.cli.output import Rows, duration


def print_rows(console: Console, table: Table, rows: Sequence[TableRow]) -> None:
    """A table with a row per group; a line that says so where there is none."""
    if not rows:
        console.print(Text(f"{table.title}: none", style="dim"))
        return
    shown = Rows(table.title)
    for name in table.by:
        shown.add_column(name, overflow="fold", ratio=3 if name == "fingerprint" else None)
    for column in table.columns:
        shown.add_column(column.title, justify="right", no_wrap=True)
    for row in rows:
        key = zip(table.by, row.key, strict=True)
        cells: list[str | Text] = [
            (short_statement(text) if name == "fingerprint" else text) or "–" for name, text in key
        ]
        cells += [_cell(column, value) for column, value in zip(table.columns, row.values, strict=True)]
        shown.add_row(*cells)
    console.print(shown)


def rows_value(table: Table, rows: Sequence[TableRow]) -> dict[str, Any]:
    """The same as JSON holds it; numbers unrounded, in the unit that the column's name and unit say."""
    titles = [column.title for column in table.columns]
    return {
        "title": table.title,
        "units": {column.title: column.unit for column in table.columns if column.unit},
        "rows": [
            {
                **dict(zip(table.by, row.key, strict=True)),
                **dict(zip(titles, row.values, strict=True)),
            }
            for row in rows
        ],
    }


def number(value: float, unit: str = "") -> str:
    """A number with its unit, as short as it stays true."""
    if unit == "ms":
        return duration(value * 1_000_000)
    if unit == "ratio":
        return f"{100 * value:.1f} %"
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def _cell(column: Column, value: float | None) -> Text:
    if value is None:
        return Text("–", style="dim")
    is_bad = column.title == "errors" and value > 0.01
    return Text(number(value, column.unit), style="red" if is_bad else "")
