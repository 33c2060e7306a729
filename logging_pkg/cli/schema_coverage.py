"""`logpipe schema coverage`: what of the declared events a stream has exercised.

In: files of events, stdin, or Loki. Out: a table or JSON on stdout, exit 1 under --fail-under. Never: writes a file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from logging_pkg.cli.durations import SECOND_NS, duration_ns
from logging_pkg.cli.loki import LokiUrl, loki_client
from logging_pkg.cli.options import AsJson, ShowQuery
from logging_pkg.cli.output import say, say_json
from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.pipeline.correlation import ALL_STREAMS
from logging_pkg.pipeline.json_lines import STDIN, json_lines
from logging_pkg.pipeline.readers import Readers
from logging_pkg.pipeline.schema_coverage import Coverage, Report, in_the_dark

#: Loki is asked for so long a range at once: what is in memory is one answer.
_SLICE_NS = 60 * SECOND_NS
_DEFAULT_SINCE = "1h"


def coverage(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="NDJSON files, directories of *.ndjson, or - for stdin; stdin when there is none."),
    ] = None,
    loki_url: LokiUrl = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DURATION", help="Ask Loki for the last 30m, 1h, 2d … (with --loki-url: 1h)."),
    ] = None,
    events: Annotated[
        list[str] | None, typer.Option("--events", metavar="GLOB", help="Only events with such names: 'shop.*'.")
    ] = None,
    fail_under: Annotated[
        float,
        typer.Option("--fail-under", metavar="PERCENT", min=0, max=100, help="Exit 1 when fewer events were seen."),
    ] = 0,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
    root: Annotated[
        Path, typer.Option("--root", help="The project whose rules and panels may hang on the rest.")
    ] = Path(),
    schemas: Directories = None,
) -> None:
    """Tell which declared events, fields, options and metrics a stream has exercised, and what hangs on the rest.

    The stream is a test run's or a server's log files, stdin, or Loki.
    A rule, alert or panel that reads what was never there is not proven by it.
    """
    registry = registry_of(schemas)
    globs = events or ["*"]
    found = Coverage(registry, lambda name: any(fnmatchcase(name, glob) for glob in globs))
    if not found.events:
        raise wrong_usage(f"--events {', '.join(globs)}: no declared event has such a name; see `logpipe schema list`")
    given = context.get_parameter_source("loki_url")
    if given is not None and given.name == "COMMANDLINE" and not files:
        since = since or _DEFAULT_SINCE  # the variable alone, which other commands need too, is no wish
    if show_query and not since:
        raise wrong_usage("--show-query without --since: nothing is asked of Loki")
    if show_query:
        say(ALL_STREAMS, err=as_json)
    for line in _lines(files, loki_url, since):
        found.add(line)
    report = Report(found, tuple(in_the_dark(found, Readers(root, registry))))
    if as_json:
        say_json(report.value(), indent=2)
    else:
        say(str(report))
    covered = report.shares()["events"]
    if covered.percent < fail_under:
        say(f"logpipe: {covered.percent:.1f} % of events seen, --fail-under asks for {fail_under:g} %", err=True)
        raise typer.Exit(1)


def _lines(files: list[Path] | None, loki_url: str | None, since: str | None) -> Iterator[dict[str, Any] | None]:
    if files and since:
        raise wrong_usage("FILE and --since: either files or Loki")
    if since:
        length_ns = duration_ns(since)
        with loki_client(loki_url) as client:
            yield from _from_loki(client, length_ns)
        return
    if not files and sys.stdin.isatty():
        raise wrong_usage("nothing to read: give files, pipe lines in, or ask Loki with --since 1h")
    for line in json_lines(files or [STDIN]):
        yield line.value


def _from_loki(client: LokiClient, length_ns: int) -> Iterator[dict[str, Any] | None]:
    end_ns = time.time_ns()
    for start_ns in range(end_ns - length_ns, end_ns, _SLICE_NS):
        answer = client.query_range(ALL_STREAMS, start_ns, min(start_ns + _SLICE_NS, end_ns))
        assert isinstance(answer, Streams)
        for entry in answer.entries:
            try:
                value = orjson.loads(entry.line)
            except orjson.JSONDecodeError:
                value = None
            yield value if isinstance(value, dict) else None
