"""`logpipe check`: rules, dashboards, documents and vector.toml against the schemas.

In: a project's directory. Out: problems on stdout, exit 1 when one is an error. Never: network, changes to a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.pipeline.lint import lint
from logging_pkg.schemas import load_registry


def check(
    root: Annotated[Path, typer.Option("--root", help="The project: where loki/, docs/ and vector.toml are.")] = Path(),
    schemas: Annotated[
        list[Path] | None, typer.Option("--schemas", help="A further schema directory; may be given more than once.")
    ] = None,
) -> None:
    """Check that everything which reads events uses declared events and fields, and that alerts are complete."""
    report = lint(root, load_registry(schemas or ()))
    typer.echo(str(report))
    if report.errors:
        raise typer.Exit(1)
