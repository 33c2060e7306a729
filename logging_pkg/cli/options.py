"""The options that several commands have, the same in each.

In: nothing. Out: typer options. Never: what they do; docs/COMMAND_LINE.md tells which command has which, and why not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[
    list[Path] | None,
    typer.Option("--file", "-f", help="Read NDJSON files or directories of them, not Loki; - is stdin. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="DURATION", help="How far back: 15m, 1h, 2d; 1h by default, of files all of them."),
]
Service = Annotated[str | None, typer.Option("--service", help="Only of this service.")]
Env = Annotated[str | None, typer.Option("--env", help="Only of this environment.")]
Release = Annotated[str | None, typer.Option("--release", help="Only of this release.")]
ShowQuery = Annotated[bool, typer.Option("--show-query", help="Print the queries behind what is shown, too.")]
