"""`logpipe schema`: list the declared events, show one, validate a file of events; and the commands beside it.

In: schema directories, NDJSON files. Out: text on stdout, exit 1 on an invalid line. Never: writes a file.
"""

from __future__ import annotations

from pathlib import Path

import typer

from logging_pkg.cli.output import say, say_json
from logging_pkg.cli.schema_coverage import coverage
from logging_pkg.cli.schema_diff import diff
from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.cli.schema_example import example
from logging_pkg.cli.schema_infer import infer
from logging_pkg.cli.usage import declared_event
from logging_pkg.schemas import Registry
from logging_pkg.testing import StreamProblem, validate_stream

app = typer.Typer(no_args_is_help=True, help="Live with the declared events: look at them, check files against them.")
app.command()(coverage)
app.command()(diff)
app.command()(example)
app.command()(infer)


@app.command("list")
def list_events(schemas: Directories = None) -> None:
    """Print every declared event with its description."""
    for name, schema in registry_of(schemas).events.items():
        print(f"{name:34} {schema.description}")


@app.command()
def show(event: str, schemas: Directories = None) -> None:
    """Print the JSON Schema of a whole line of one event, envelope included."""
    registry = registry_of(schemas)
    declared_event(registry, event)
    say_json(registry.line_schema(event), indent=2)


@app.command()
def validate(files: list[Path], schemas: Directories = None) -> None:
    """Check that every line of the given NDJSON files is a valid, declared event."""
    registry = registry_of(schemas)
    problems = events = 0
    for file in files:
        found_problems, found_events = _validate(file, registry)
        problems += found_problems
        events += found_events
    print(f"{_count(events, 'valid event')}, {_count(problems, 'problem')} in {_count(len(files), 'file')}")
    if problems or not events:
        raise typer.Exit(1)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _validate(file: Path, registry: Registry) -> tuple[int, int]:
    problems = events = 0
    try:
        for result in validate_stream(file, registry):
            if isinstance(result, StreamProblem):
                problems += 1
                say(str(result))
            else:
                events += 1
    except OSError as error:
        problems += 1
        say(f"{file}: cannot be read: {error.strerror}")
    return problems, events
