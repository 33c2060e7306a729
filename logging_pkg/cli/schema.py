"""`logpipe schema`: list the declared events, show one, validate a file of events; and the commands beside it.

In: schema directories, NDJSON files. Out: text on stdout, exit 1 on an invalid line. Never: writes a file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from logging_pkg.cli.options import AsJson
from logging_pkg.cli.output import say, say_json
from logging_pkg.cli.schema_coverage import coverage
from logging_pkg.cli.schema_diff import diff
from logging_pkg.cli.schema_directories import Directories, declared_event, registry_of
from logging_pkg.cli.schema_example import example
from logging_pkg.cli.schema_infer import infer
from logging_pkg.pipeline.json_lines import STDIN, log_files
from logging_pkg.schemas import Registry
from logging_pkg.testing.streams import StreamProblem, validate_lines, validate_stream

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
def validate(
    files: Annotated[
        list[Path] | None, typer.Argument(help="NDJSON files, directories of *.ndjson, or - for stdin, as without any.")
    ] = None,
    schemas: Directories = None,
    as_json: AsJson = False,
) -> None:
    """Check that every line of NDJSON files is a valid, declared event."""
    registry = registry_of(schemas)
    looked_at = log_files(files or [STDIN])
    problems: list[dict[str, object]] = []
    events = 0
    for file in looked_at:
        for result in _results(file, registry):
            if not isinstance(result, StreamProblem):
                events += 1
                continue
            problems.append({"file": str(result.path), "line": result.line or None, "message": result.message})
            if not as_json:
                say(str(result))
    if as_json:
        say_json({"files": len(looked_at), "valid_events": events, "problems": problems})
    else:
        found = f"{_count(events, 'valid event')}, {_count(len(problems), 'problem')}"
        say(f"{found} in {_count(len(looked_at), 'file')}")
    if problems or not events:
        raise typer.Exit(1)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _results(file: Path, registry: Registry) -> Iterator[StreamProblem | dict[str, Any]]:
    if file == STDIN:
        yield from validate_lines(sys.stdin.buffer, Path("stdin"), registry)
        return
    try:
        yield from validate_stream(file, registry)
    except OSError as error:
        # The others are looked at all the same.
        yield StreamProblem(file, 0, f"cannot be read: {error.strerror}")
