"""The option `--schemas`, the same in every command that reads declarations, and the event that one of them names.

In: the option, LOGPIPE_SCHEMA_DIRECTORIES. Out: a Registry. Never: directories the shipper would not know of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.cli.usage import wrong_usage
from logging_pkg.conf import Settings
from logging_pkg.schemas import EventSchema, Registry, load_registry

Directories = Annotated[
    list[Path] | None,
    typer.Option(
        "--schemas",
        help="A further schema directory; may be given more than once. Default: LOGPIPE_SCHEMA_DIRECTORIES.",
    ),
]


def registry_of(directories: list[Path] | None) -> Registry:
    """The built-in events and those of the directories given, else of those the variable names.

    Raises:
        ConfigurationError: a LOGPIPE_* variable is wrong.
        SchemaError: a directory or a declaration is.
    """
    return load_registry(directories or Settings.from_environ().schema_directories)


def declared_event(registry: Registry, event: str) -> EventSchema:
    """The schema of an event; ends the command when there is none, naming the nearest."""
    if event not in registry.events:
        raise wrong_usage(f"{registry.unknown_event(event)}; `logpipe schema list` names all")
    return registry.events[event]
