"""The commands of `logpipe`, put together.

In: one module per command. Out: the typer application. Never: a command's own logic; a module imported for a command
that nobody has asked for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

#: Groups of commands: each module has a typer application `app`.
_GROUPS: Final = ("stack", "schema", "rules", "compare")
#: Command -> module and function, in the order of `logpipe --help`.
_COMMANDS: Final = {
    "ship": ("ship", "ship"),
    "probe": ("probe", "probe"),
    "trace": ("trace", "trace"),
    "search": ("search", "search"),
    "tail": ("search", "tail"),
    "top": ("top", "top"),
    "syncs": ("top", "syncs"),
    "quota": ("quota", "quota"),
    "alerts": ("alerts", "alerts"),
    "explain": ("explain", "explain"),
    "doctor": ("doctor", "doctor"),
    "slo": ("slo", "slo"),
    "forecast": ("forecast", "forecast"),
    "check": ("check", "check"),
    "generate": ("generate", "generate"),
    "vector-config": ("ship", "vector_config"),
    "backfill": ("backfill", "backfill"),
    "init": ("init", "init"),
}


def application_for(arguments: Sequence[str]) -> typer.Typer:
    """The application with the command that is asked for; with all where that is none, for help and completion.

    Args:
        arguments: of the command line, without the program's name.
    """
    name = arguments[0] if arguments and not any(key.endswith("_COMPLETE") for key in os.environ) else ""
    made = typer.Typer(
        name="logpipe",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Ship, query, check and test the JSON events your application emits.",
    )
    # With a callback it is a group also when it has one command.
    made.callback()(_group)
    is_known = name in _GROUPS or name in _COMMANDS
    for group in _GROUPS:
        if not is_known or name == group:
            made.add_typer(import_module(f"logging_pkg.cli.{group}").app, name=group)
    for command, (module, function) in _COMMANDS.items():
        if not is_known or name == command:
            made.command(command)(getattr(import_module(f"logging_pkg.cli.{module}"), function))
    return made


def _group() -> None:
    """Do nothing: the commands do."""
