"""`logpipe compare release A B`: what a release made worse, with traces to look at.

In: two releases, a source. Out: a table, or JSON; exit code 1 when something got worse. Never: a verdict on few events.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from logging_pkg.analysis.filters import Condition
from logging_pkg.analysis.release_comparison import MINIMUM_COUNT, Change, compare
from logging_pkg.analysis.tables import Column, Table
from logging_pkg.cli.loki import LokiUrl
from logging_pkg.cli.options import AsJson, Env, Files, Service, ShowQuery
from logging_pkg.cli.output import Rows, say_json, terminal
from logging_pkg.cli.source import Source, open_source, scope_of
from logging_pkg.cli.tables import number
from logging_pkg.pipeline.event_search import Search
from logging_pkg.pipeline.event_tables import RELEASE_API, RELEASE_ROUTES
from logging_pkg.pipeline.scope import Scope

app = typer.Typer(help="Compare two releases by their events.", no_args_is_help=True)

_TABLES = (RELEASE_ROUTES, RELEASE_API)
_EXAMPLES = 3


@app.callback()
def _group() -> None:
    """Compare by what the events say."""


@app.command()
def release(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="The earlier release, as in the field `release`.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="The later one.")],
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DURATION", help="How far back; 24h by default, of files all of them."),
    ] = None,
    service: Service = None,
    env: Env = None,
    loki_url: LokiUrl = None,
    files: Files = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Tell what got slower, does more queries or fails more from one release to the next."""
    scopes = [scope_of(service, env, name) for name in (before, after)]
    with open_source(loki_url, files, since, default_since="24h") as source:
        found = {
            table.title: compare(table.columns, *(source.rows(table, scope) for scope in scopes)) for table in _TABLES
        }
        examples = {
            change.key: _examples(source, table, change, scopes[1])
            for table in _TABLES
            for change in found[table.title]
            if change.worse
        }
        queries = [query for table in _TABLES for query in source.queries(table, scopes[1]).values()]
        if as_json:
            say_json({title: [_value(change, examples) for change in found[title]] for title in found})
        else:
            for query in queries if show_query else ():
                typer.echo(query)
            for table in _TABLES:
                _print(terminal(), table, found[table.title], examples)
    if examples:
        raise typer.Exit(1)


def _examples(source: Source, table: Table, change: Change, scope: Scope) -> list[str]:
    """The newest correlation IDs of the later release that show what got worse."""
    assert change.before is not None
    conditions = [Condition(table.by[0], "=", change.key[0])]
    if "more errors" in change.worse:
        conditions.append(Condition("is_error", "=", "1"))
    elif "slower" in change.worse:
        field = next(column.field for column in table.columns if column.title == "p95")
        conditions.append(Condition(field, ">", f"{change.before['p50'] or 0:.3f}"))
    else:
        conditions.append(Condition("query_count", ">", f"{change.before['queries'] or 0:.3f}"))
    found = source.search(Search((table.event,), tuple(conditions), scope=scope), _EXAMPLES)
    return [str(event["correlation_id"]) for event in found]


def _print(console: Console, table: Table, changes: list[Change], examples: dict[tuple[str, ...], list[str]]) -> None:
    if not changes:
        console.print(Text(f"{table.title}: no event of either release", style="dim"))
        return
    shown = Rows(table.title)
    shown.add_column(table.by[0], overflow="fold")
    columns = [column for column in table.columns if column.title not in {"mean", "stddev"}]
    for column in columns:
        shown.add_column(column.title, justify="right", no_wrap=True)
    shown.add_column("")
    for change in changes:
        cells = [Text(f"{_side(change.before, column)} → {_side(change.after, column)}") for column in columns]
        shown.add_row(change.key[0] or "–", *cells, _verdict(change))
        for correlation in examples.get(change.key, ()):
            shown.add_row(Text(f"  logpipe trace {correlation}", style="dim"))
    console.print(shown)


def _side(values: Any, column: Column) -> str:
    value = values.get(column.title) if values is not None else None
    return "–" if value is None else number(value, column.unit)


def _verdict(change: Change) -> Text:
    if change.worse:
        return Text(", ".join(change.worse), style="red")
    if change.better:
        return Text(", ".join(change.better), style="green")
    if change.before is None:
        return Text("new", style="dim")
    if change.after is None:
        return Text("gone", style="dim")
    return Text("" if change.is_judged else f"fewer than {MINIMUM_COUNT}", style="dim")


def _value(change: Change, examples: dict[tuple[str, ...], list[str]]) -> dict[str, Any]:
    return {
        "key": change.key[0],
        "before": change.before,
        "after": change.after,
        "worse": change.worse,
        "better": change.better,
        "is_judged": change.is_judged,
        "examples": examples.get(change.key, []),
    }
