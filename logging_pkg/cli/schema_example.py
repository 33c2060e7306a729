"""`logpipe schema example EVENT`: valid events made from a schema.

In: an event's name, field values. Out: one JSON line per example on stdout. Never: an event its schema refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any

import jsonschema_rs
import orjson
import typer

from logging_pkg.cli.schema_directories import Directories, declared_event, registry_of
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.schemas import EventSchema, Registry
from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.schemas.examples import START, example_fields, example_lines


def example(
    event: Annotated[str, typer.Argument(help="Name of a declared event, such as http.request_finished.")],
    count: Annotated[int, typer.Option("--count", min=1, help="How many; they differ in nulls, bounds, options.")] = 1,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Give a field this value, JSON or text, in all of them."),
    ] = None,
    whole_line: Annotated[
        bool, typer.Option("--whole-line", help="With the envelope, as a process writes it.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Another number, other values; the same number, the same.")] = 0,
    awkward: Annotated[
        bool,
        typer.Option("--awkward", help="Free texts with quotes, escapes and several scripts, to try receivers."),
    ] = False,
    start: Annotated[
        str, typer.Option("--start", help="Time of the first whole line: RFC 3339 in UTC, or now.")
    ] = START.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    schemas: Directories = None,
) -> None:
    """Print valid events of one kind, made from its schema, to try rules, receivers and queries with.

    The first has every field; every fourth has the required ones only.
    """
    registry = registry_of(schemas)
    schema = declared_event(registry, event)
    chosen = dict(_chosen(text, schema, registry, whole_line=whole_line) for text in values or ())
    if whole_line:
        lines = example_lines(registry, event, count, first=1, seed=seed, awkward=awkward, start=_moment(start))
    else:
        lines = (example_fields(schema, number, seed=seed, awkward=awkward) for number in range(1, count + 1))
    for line in lines:
        typer.echo(orjson.dumps(line | chosen))


def _chosen(text: str, schema: EventSchema, registry: Registry, *, whole_line: bool) -> tuple[str, Any]:
    """`FIELD=VALUE` as the field's value: JSON where the field takes that, else the text itself."""
    name, equals, raw = text.partition("=")
    fields = {**schema.properties, **(registry.envelope["properties"] if whole_line else {})}
    if not equals:
        raise wrong_usage(f"--set {text[:80]!r}: expected FIELD=VALUE, such as --set {next(iter(fields), 'field')}=1")
    if name not in fields:
        near = get_close_matches(name, fields, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        envelope = name in registry.envelope["properties"]
        todo = "the envelope's fields come with --whole-line" if envelope else f"see log_schemas/{schema.path.name}"
        raise wrong_usage(f"--set {name[:80]}: {schema.name} has no such field; {hint}{todo}")
    validator = jsonschema_rs.Draft202012Validator(dict(fields[name]))
    for value in _readings(raw):
        if validator.is_valid(value):
            return name, value
    (problem, *_) = validator.iter_errors(next(_readings(raw)))
    raise wrong_usage(f"--set {name}={raw[:80]}: {problem.message[:200]}; see log_schemas/{schema.path.name}")


def _readings(raw: str) -> Iterator[Any]:
    """What a value on the command line may mean, the likelier first."""
    try:
        yield orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    yield raw


def _moment(text: str) -> datetime:
    if text == "now":
        return datetime.now(UTC)
    try:
        return datetime.fromtimestamp(parse_timestamp(text) / 1e9, UTC)
    except ValueError as error:
        raise wrong_usage(f"--start: {error}, nor now") from error
