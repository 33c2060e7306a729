"""`logpipe check`: rules, dashboards, documents and vector.toml against the schemas.

In: a project's directory. Out: problems on stdout, exit 1 when one is an error. Never: network, changes to a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.pipeline.lint import lint


def check(
    root: Annotated[Path, typer.Option("--root", help="The project: where loki/, docs/ and vector.toml are.")] = Path(),
    schemas: Directories = None,
) -> None:
    """Check that everything which reads events uses declared events and fields, and that alerts are complete."""
    report = lint(root, registry_of(schemas))
    typer.echo(str(report))
    if report.errors:
        raise typer.Exit(1)
