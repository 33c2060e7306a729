"""`logpipe top` and `logpipe syncs`: what is slow, what fails, who uses it, how syncs go.

In: the name of a table, a source. Out: tables, or JSON. Never: more groups than asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from logging_pkg.analysis.tables import Table
from logging_pkg.cli.loki import LokiUrl
from logging_pkg.cli.options import AsJson, Env, Files, Release, Service, ShowQuery, Since
from logging_pkg.cli.output import say_json, terminal
from logging_pkg.cli.source import open_source, scope_of
from logging_pkg.cli.tables import print_rows, rows_value
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.pipeline.event_tables import FAILED_SYNCS, SYNCS, TOP
from logging_pkg.pipeline.scope import Scope

What = Annotated[str, typer.Argument(metavar="|".join(TOP), help="What to rank.", autocompletion=lambda: list(TOP))]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="Rows at most.")]


def top(
    what: What,
    since: Since = None,
    limit: Limit = 20,
    service: Service = None,
    env: Env = None,
    release: Release = None,
    loki_url: LokiUrl = None,
    files: Files = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Rank routes, queries, API operations, users or errors."""
    if what not in TOP:
        raise wrong_usage(f"top {what[:40]}: expected one of {', '.join(TOP)}")
    _show(TOP[what], scope_of(service, env, release), loki_url, files, since, limit, show_query, as_json)


def syncs(
    since: Since = None,
    service: Service = None,
    env: Env = None,
    release: Release = None,
    loki_url: LokiUrl = None,
    files: Files = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Show how calendar syncs go, and why those failed that did."""
    _show((SYNCS, FAILED_SYNCS), scope_of(service, env, release), loki_url, files, since, 50, show_query, as_json)


def _show(
    tables: Sequence[Table],
    scope: Scope,
    loki_url: str | None,
    files: list[Path] | None,
    since: str | None,
    limit: int,
    show_query: bool,
    as_json: bool,
) -> None:
    with open_source(loki_url, files, since) as source:
        found = [(table, source.rows(table, scope, limit)) for table in tables]
        queries = {table.title: source.queries(table, scope) if show_query else {} for table in tables}
        if as_json:
            values = [rows_value(table, rows) for table, rows in found]
            say_json([{**value, "logql": queries[value["title"]]} if show_query else value for value in values])
            return
        console = terminal()
        for table, rows in found:
            print_rows(console, table, rows)
            for title, query in queries[table.title].items():
                typer.echo(f"{title}: {query}")
