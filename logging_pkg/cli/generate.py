"""`logpipe generate`: the recording rules that the schemas ask for.

In: schema directories. Out: loki/rules/recording.yaml, or with --check the difference to it and exit 1.
Never: another file.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.generate import RECORDING_RULES, recording_rules


def generate(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when the file is out of date.")] = False,
    root: Annotated[Path, typer.Option("--root", help="The project: where loki/rules/ is.")] = Path(),
    schemas: Directories = None,
) -> None:
    """Write loki/rules/recording.yaml from the schemas' x-metrics."""
    path = root / RECORDING_RULES
    expected = recording_rules(registry_of(schemas))
    try:
        # What is no text is out of date like any other.
        found = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if check:
            _compare(found, expected)
        elif found != expected:
            _replace(path, expected)
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror}; run logpipe generate in the project's directory") from error
    typer.echo(
        f"{RECORDING_RULES}: {expected.count('- record:')} rules, {'written' if found != expected else 'up to date'}"
    )


def _compare(found: str, expected: str) -> None:
    if found == expected:
        return
    lines = difflib.unified_diff(
        found.splitlines(keepends=True), expected.splitlines(keepends=True), f"{RECORDING_RULES} (committed)", "schemas"
    )
    typer.echo("".join(lines), nl=False)
    typer.echo(f"{RECORDING_RULES} is out of date: run logpipe generate", err=True)
    raise typer.Exit(1)


def _replace(path: Path, text: str) -> None:
    # Loki reads the directory every few seconds: it must never meet half a file, nor one of another name.
    partial = path.parent.parent / f".{path.name}.partial"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
