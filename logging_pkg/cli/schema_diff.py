"""`logpipe schema diff`: what a change of the schemas breaks, and whether the versions say so.

In: two directories or git revisions. Out: changes and whom they hit on stdout, exit 1 when a breaking change came
without a raised version. Never: changes a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.output import say, say_json
from logging_pkg.conf import Settings
from logging_pkg.pipeline.readers import Readers
from logging_pkg.pipeline.schema_diff import compared
from logging_pkg.pipeline.schema_diff.sources import Source
from logging_pkg.schemas.loading import builtin_directory

_OWN_DIRECTORY = "log_schemas"
_INSTALLED = "installed package"


def diff(
    old: Annotated[
        str | None,
        typer.Argument(help="What was: a directory, or a git revision with a colon: HEAD~:, v1.2:schemas."),
    ] = None,
    new: Annotated[str | None, typer.Argument(help="What is; by default the directory in the working copy.")] = None,
    root: Annotated[
        Path, typer.Option("--root", help="The project whose rules, panels and documents may be hit.")
    ] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")] = False,
) -> None:
    """Name what changed between two versions of the schemas, whom it breaks, and whether the versions say so.

    Without arguments: what is uncommitted. With one revision: what came since.
    With one directory: what it changes of the installed package.
    Exit code 1: a breaking change without a raised x-schema-version, by the
    rules of docs/SCHEMAS.md.
    """
    before, after = _sources(old, new)
    registry = before.load()
    names = (_INSTALLED if before.directory == str(builtin_directory()) else str(before), str(after))
    comparison = compared(registry, after.load(), Readers(root, registry), names)
    if as_json:
        say_json(comparison.value(), indent=2)
    else:
        say(str(comparison))
    if comparison.breaches:
        raise typer.Exit(1)


def _sources(old: str | None, new: str | None) -> tuple[Source, Source]:
    directory = _own_directory()
    if old is None:
        return Source(directory, "HEAD"), Source(directory)
    before = Source.named(old, directory)
    if new is not None:
        return before, Source.named(new, before.directory if before.revision else directory)
    if before.revision:
        return before, Source(before.directory)
    return Source(str(builtin_directory())), before


def _own_directory() -> str:
    """Where this project declares events: log_schemas/, else the first that the setting names."""
    if not Path(_OWN_DIRECTORY).is_dir():
        for directory in Settings.from_environ().schema_directories:
            return str(directory)
    return _OWN_DIRECTORY
