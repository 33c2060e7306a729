"""`logpipe generate`: the files that follow from the schemas and from loki/slos.yaml.

In: schema directories, service level objectives. Out: loki/rules/recording.yaml, the two slos.yaml, docs/EVENTS.md and
docs/METRICS.md, or with --check the differences to them and exit 1. Never: another file.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.generate import RECORDING_RULES
from logging_pkg.pipeline.generated_files import generated_files, objectives_of


def generate(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; show what is out of date and fail if anything is.")
    ] = False,
    root: Annotated[Path, typer.Option("--root", help="The project: where loki/rules/ and docs/ are.")] = Path(),
    schemas: Directories = None,
) -> None:
    """Write what follows from the schemas and loki/slos.yaml: rules, docs/EVENTS.md and docs/METRICS.md."""
    registry = registry_of(schemas)
    files = generated_files(registry, objectives_of(root, registry))
    if not (root / RECORDING_RULES).parent.is_dir():
        raise RuleError(
            f"{root / RECORDING_RULES}: No such file or directory; run logpipe generate in the project's directory"
        )
    stale = [name for name, expected in files.items() if _is_stale(root / name, name, expected, check=check)]
    if check and stale:
        typer.echo(f"{', '.join(stale)}: out of date: run logpipe generate, and commit what it writes", err=True)
        raise typer.Exit(1)
    for name in files:
        typer.echo(f"{name}: {'written' if name in stale else 'up to date'}")


def _is_stale(path: Path, name: str, expected: str, *, check: bool) -> bool:
    """Whether a file was not what the schemas ask for; then it is written, or the difference shown."""
    try:
        # What is no text is out of date like any other.
        found = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        if found != expected and not check:
            _replace(path, expected)
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror}; run logpipe generate in the project's directory") from error
    if found != expected and check:
        _show_difference(name, found, expected)
    return found != expected


def _show_difference(name: str, found: str, expected: str) -> None:
    lines = difflib.unified_diff(
        found.splitlines(keepends=True),
        expected.splitlines(keepends=True),
        f"{name} (committed)",
        f"{name} (from the schemas)",
    )
    typer.echo("".join(lines), nl=False)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    # Loki reads its directory every few seconds: it must never meet half a file, nor one of another name.
    partial = path.parent.parent / f".{path.name}.partial"
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
