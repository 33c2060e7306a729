"""What the commands that show things have in common: their options, where they print, and how they write numbers.

In: options, numbers. Out: typer options, a console, text. Never: prints.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

#: Columns where nobody says how wide the output is: nothing is cut off in a file or a pipe.
_UNKNOWN_WIDTH = 200

Files = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", help="Read NDJSON files or directories of them, not Loki; - is stdin. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def terminal() -> Console:
    """Where to print: in colours on a terminal (unless NO_COLOR is set), plain and wide into a pipe or a file."""
    is_known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if is_known else _UNKNOWN_WIDTH, highlight=False)


def duration(nanoseconds: float) -> str:
    """A length of time in three digits: `38 ms`, `1.92 s`, `2 min 5 s`."""
    milliseconds = nanoseconds / 1_000_000
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.2f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes} min {seconds} s"
