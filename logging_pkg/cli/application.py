"""The commands of `logpipe`, put together.

In: one module per command. Out: the typer application. Never: a command's own logic.
"""

from __future__ import annotations

import typer

from logging_pkg.cli import schema

application = typer.Typer(
    name="logpipe",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ship, query, check and test the JSON events your application emits.",
)
application.add_typer(schema.app, name="schema")
