"""`logpipe backfill`: recorded series over a gap, from the logs.

In: a range. Out: the missing samples in Prometheus, and what was done; exit codes: 0 nothing is missing any more,
1 something still is, 2 wrong usage, 3 a server is out of reach. Never: a sample over one that is there.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from logging_pkg.cli.loki import LokiUrl, checked_url, loki_client, stack_url
from logging_pkg.cli.output import say, say_json
from logging_pkg.cli.servers import PrometheusUrl
from logging_pkg.cli.usage import wrong_usage
from logging_pkg.exceptions import ConfigurationError, LogpipeError, LokiError
from logging_pkg.pipeline.backfill import report
from logging_pkg.pipeline.backfill.gap import fill_gap
from logging_pkg.pipeline.backfill.own_rules import own_groups
from logging_pkg.pipeline.backfill.prometheus import Prometheus, PrometheusError, PrometheusUnreachableError
from logging_pkg.pipeline.backfill.ruler import require_lines, ruler_of
from logging_pkg.pipeline.backfill.rules import longest_reach_ns, only, recording_groups, require_names
from logging_pkg.pipeline.backfill.task import Task
from logging_pkg.pipeline.logql.tokens import LogQLError, duration_ns
from logging_pkg.prometheus_client import ServerError, ServerUnanswered, ServerUnreachable

RULES = Path("loki/rules")
STILL_MISSING, WRONG_INPUT, UNREACHABLE = 1, 2, 3
#: A busy stream is read for a minute at most (query_timeout in loki.yaml).
_LOKI_TIMEOUT_S = 90.0


def backfill(
    start: Annotated[
        str,
        typer.Option("--from", metavar="TIME", help="Begin of the gap: 2026-11-25T10:00:00Z, or 2h for two hours ago."),
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="End of the gap; default now.")] = "0s",
    names: Annotated[
        list[str] | None, typer.Option("--rule", metavar="NAME", help="Only this series; repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is missing, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the results as JSON.")] = False,
    blocks: Annotated[
        Path | None,
        typer.Option(
            "--blocks", help="Make blocks here of what is too old for remote write: Prometheus's data directory."
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="NAME=VALUE", help="A label that is added between ruler and Prometheus; repeatable."
        ),
    ] = None,
    rules: Annotated[Path, typer.Option("--rules", help="Directory of the rule files.")] = RULES,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Queries side by side.")] = 2,
    loki_url: LokiUrl = None,
    prometheus_url: PrometheusUrl = None,
) -> None:
    """Compute recorded series over a gap (ruler or Prometheus down) from the logs, and write what is missing."""
    began, now_ns = time.monotonic(), time.time_ns()
    try:
        task = Task(
            _time_ns("--from", start, now_ns),
            min(_time_ns("--to", end, now_ns), now_ns),
            labels=_labels(labels or []),
            is_dry=dry_run,
            blocks=blocks,
        )
        if task.start_ns >= task.end_ns:
            raise ConfigurationError(f"--from {start} is not before --to {end}; expected the earlier time first")
        all_groups = recording_groups(rules)
        clients = [loki_client(loki_url) for _ in range(jobs)]
        for client in clients:
            client.timeout_s = _LOKI_TIMEOUT_S
        prometheus = Prometheus(_prometheus_address(prometheus_url))
    except LogpipeError as error:
        raise wrong_usage(str(error)) from None
    try:
        ruler, all_own = ruler_of(clients[0]), own_groups(prometheus)
        require_names(names or [], [*all_groups, *all_own], rules)
        groups, own = only(all_groups, names or []), only(all_own, names or [])
        require_lines(ruler, task.start_ns, now_ns, longest_reach_ns(groups))
        with _progress() as progress:
            bar = progress.add_task("", total=None)

            def show(done: int, total: int, record: str) -> None:
                progress.update(bar, total=total, completed=done, description=record)

            outcome = fill_gap(clients, prometheus, groups, own, ruler, task, show)
    except (LokiError, PrometheusUnreachableError, ServerUnreachable, ServerUnanswered) as error:
        _stop(error, UNREACHABLE)
    except (PrometheusError, ServerError) as error:
        _stop(error, STILL_MISSING)
    except LogpipeError as error:
        _stop(error, WRONG_INPUT)
    seconds = time.monotonic() - began
    if as_json:
        say_json(report.document(outcome, task, seconds), indent=2)
    else:
        say("\n".join(report.lines(outcome, task, seconds)))
    if not report.is_filled(outcome, task):
        raise typer.Exit(STILL_MISSING)


def _time_ns(option: str, text: str, now_ns: int) -> int:
    """A time of the command line: RFC 3339 with its offset from UTC, or a duration that has passed since."""
    try:
        return now_ns - duration_ns(text)
    except LogQLError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"{option} {text!r}: expected a time such as 2026-11-25T10:00:00Z, or 90m for 90 minutes ago"
        )
    past = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1000


def _labels(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ConfigurationError(f"--label {text!r}: expected NAME=VALUE, such as cluster=eu")
        found[name] = value
    return found


def _prometheus_address(url: str | None) -> str:
    if url is not None:
        return checked_url(url, "Prometheus", 9090)
    if (found := stack_url("prometheus")) is None:
        raise ConfigurationError("no Prometheus known: start one with `logpipe stack up`, or give --prometheus-url")
    return found


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeRemainingColumn())
    # Nothing in a file: a progress bar is for who waits before a terminal.
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _stop(error: Exception, code: int) -> None:
    say(f"logpipe: {error}", err=True)
    raise typer.Exit(code) from error
