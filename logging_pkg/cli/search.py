"""`logpipe search` and `logpipe tail`: events of Loki or of files, those asked for, one line each.

In: conditions, a source. Out: a line per event, or the events as NDJSON. Never: more than was asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from logging_pkg.analysis.describe import detail, label
from logging_pkg.analysis.filters import ConditionError, condition
from logging_pkg.analysis.trace import CANONICAL_EVENTS
from logging_pkg.analysis.values import length_ns
from logging_pkg.cli.durations import duration_ns
from logging_pkg.cli.escaping import one_line
from logging_pkg.cli.loki import LokiUrl, loki_client
from logging_pkg.cli.options import AsJson, Env, Files, Release, Service, ShowQuery, Since
from logging_pkg.cli.output import duration, say, say_json, telling_passed_over, terminal
from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.cli.source import open_source, scope_of
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.exceptions import LokiError
from logging_pkg.pipeline.event_search import Search, event_names
from logging_pkg.pipeline.follow import follow_files, follow_loki

#: One correlation has one colour, so that its lines are told from others'.
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
_LEVEL_STYLES = {"warning": "yellow", "error": "red", "critical": "bold red"}
_SHOWN_ID_DIGITS = 16

Conditions = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FIELD=VALUE]...", help="All must hold: also with != =~ !~ > >= < <=. Quote < and >."),
]
Events = Annotated[
    list[str] | None, typer.Option("--event", "-e", metavar="GLOB", help="Only such events: 'db.*'. Repeatable.")
]
Contains = Annotated[str, typer.Option("--text", metavar="TEXT", help="That stands in the line.")]


def search(
    conditions: Conditions = None,
    events: Events = None,
    text: Contains = "",
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The newest so many.")] = 100,
    service: Service = None,
    env: Env = None,
    release: Release = None,
    loki_url: LokiUrl = None,
    files: Files = None,
    schemas: Directories = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Find events: logpipe search route=/dashboard/ 'response_time_ms>500'."""
    wanted = _search(conditions, events, text, schemas, service, env, release)
    if show_query:
        typer.echo(wanted.logql(), err=as_json)
    with open_source(loki_url, files, since) as source:
        _print(source.search(wanted, limit), as_json=as_json)


def tail(
    conditions: Conditions = None,
    events: Events = None,
    text: Contains = "",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DURATION", help="Begin with events so old: 10m, 1h; else with new ones."),
    ] = None,
    service: Service = None,
    env: Env = None,
    release: Release = None,
    loki_url: LokiUrl = None,
    files: Files = None,
    schemas: Directories = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Show events as they come, until Ctrl-C; lines of one cause have one colour."""
    wanted = _search(conditions, events, text, schemas, service, env, release)
    if show_query:
        typer.echo(wanted.logql(), err=as_json)
    since_ns = duration_ns(since) if since is not None else None
    if files:
        with telling_passed_over() as passed_over:
            _print(follow_files(files, wanted, passed_over, since_ns), as_json=as_json)
        return
    with loki_client(loki_url) as client:
        _print(follow_loki(client, wanted, since_ns or 0, on_problem=_tell), as_json=as_json)


def _tell(error: LokiError) -> None:
    say(f"logpipe: {error}; trying again", err=True)


def _search(
    conditions: list[str] | None,
    events: list[str] | None,
    text: str,
    schemas: list[Path] | None,
    service: str | None,
    env: str | None,
    release: str | None,
) -> Search:
    try:
        asked = tuple(condition(item) for item in conditions or ())
        names = event_names(registry_of(schemas), events or (), asked)
    except ConditionError as error:
        raise wrong_usage(str(error)) from error
    return Search(names, asked, text, scope_of(service, env, release))


def _print(events: Iterable[dict[str, Any]], *, as_json: bool) -> None:
    console = terminal()
    for event in events:
        if as_json:
            say_json(event)
        else:
            console.print(event_line(event), soft_wrap=True)


def event_line(event: dict[str, Any]) -> Text:
    """`2026-11-25T10:00:01.123Z calendar-sync 0192f0c1 GET /dashboard/  200  38 ms  user 3`, in UTC."""
    correlation = str(event["correlation_id"])
    colour = _COLOURS[zlib.crc32(correlation.encode(errors="replace")) % len(_COLOURS)]
    told = label(event)
    name = str(event["event"])
    parts = [
        (f"{str(event['timestamp'])[:23]}Z ", "dim"),
        (f"{event.get('service_name')} ", "dim"),
        (f"{correlation[:_SHOWN_ID_DIGITS]} ", colour),
        (told, _LEVEL_STYLES.get(str(event.get("level")), "")),
        (f"  {_length(event)}{detail(event)}", "dim" if told != name else ""),
    ]
    return Text.assemble(*((one_line(text), style) for text, style in parts))


def _length(event: dict[str, Any]) -> str:
    field = CANONICAL_EVENTS.get(str(event["event"]))
    length = length_ns(event, field) if field else None
    return f"{duration(length)}  " if length is not None else ""
