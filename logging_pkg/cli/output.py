"""What the commands that show things have in common: where they print, and how they write numbers.

In: numbers, text that may come from anywhere. Out: a console, what is printed. Never: a character printed that a
terminal obeys, but for the colours chosen here.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from logging_pkg.cli.escaping import json_line, one_line, visible
from logging_pkg.pipeline.event_lines import PassedOver

#: Columns where nobody says how wide the output is: nothing is cut off in a file or a pipe.
_UNKNOWN_WIDTH = 200


class Terminal(Console):
    """A console on which text is text: it holds no markup, and nothing in it is a command to the terminal."""

    def __init__(self, width: int | None = None, **options: Any) -> None:
        super().__init__(width=width, highlight=False, markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich renders it, with what a terminal would obey escaped; all that is printed comes through here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


class Rows(Table):
    """A table whose cells are one line each, escaped before their widths are measured."""

    def __init__(self, title: str | None = None) -> None:
        super().__init__(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """A row of texts; see rich."""
        super().add_row(*(_cell(cell) for cell in cells), **options)


def terminal() -> Terminal:
    """Where to print: in colours on a terminal (unless NO_COLOR is set), plain and wide into a pipe or a file."""
    is_known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Terminal(width=None if is_known else _UNKNOWN_WIDTH)


def say(text: str, *, err: bool = False) -> None:
    """Print a text as it is, but for what a terminal would obey."""
    typer.echo(visible(text), err=err)


@contextmanager
def telling_passed_over() -> Iterator[PassedOver]:
    """Count lines that are no events, and tell of them on stderr when everything else is said, however it ends."""
    passed_over = PassedOver()
    try:
        yield passed_over
    finally:
        if passed_over.count:
            say(f"logpipe: {passed_over}", err=True)


def say_json(value: Any, indent: int | None = None) -> None:
    """Print a value as JSON; programs read the very same value, a terminal shows it."""
    typer.echo(json_line(value, indent))


def duration(nanoseconds: float) -> str:
    """A length of time in three digits: `38 ms`, `1.92 s`, `2 min 5 s`."""
    milliseconds = nanoseconds / 1_000_000
    if not math.isfinite(milliseconds):
        return "–"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.2f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"


def _cell(cell: RenderableType | None) -> RenderableType | None:
    if isinstance(cell, str):
        return Text(one_line(cell))
    if isinstance(cell, Text) and one_line(cell.plain) != cell.plain:
        return Text(one_line(cell.plain), style=cell.style)
    return cell
