"""`logpipe quota`: how much of Google's quotas is used, and when it will be gone.

In: a source. Out: a table per project, or JSON; exit code 1 when a quota is nearly used up. Never: a limit the events
do not carry.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import typer
from rich.text import Text

from logging_pkg.cli.loki import LokiUrl
from logging_pkg.cli.options import AsJson, Env, Files, Service, ShowQuery
from logging_pkg.cli.output import Rows, duration, say_json, terminal
from logging_pkg.cli.source import Source, open_source, scope_of
from logging_pkg.pipeline.event_tables import QUOTA_DAY, QUOTA_MINUTE, QUOTA_USER_MINUTE
from logging_pkg.pipeline.scope import Scope

#: Google's day has 25 hours once a year; older events are of another day.
_DAY_S = 25 * 3600
_MINUTE_S, _HOUR_S = 60, 3600
#: What the alerts GoogleQuotaMinute95 and GoogleQuotaDay95 call nearly used up.
_BREACH = 0.95
#: And those at 80 %.
_WARNING = 0.8
_USERS = 5


@dataclass(frozen=True, slots=True)
class Use:
    """One quota: `left_s` is how long it lasts at the pace of the last hour, None where nothing is used."""

    project: str
    quota: str
    used: float
    limit: float | None
    left_s: float | None = None

    @property
    def share(self) -> float | None:
        """Of the limit; None where there is none."""
        return self.used / self.limit if self.limit else None


def quota(
    service: Service = None,
    env: Env = None,
    loki_url: LokiUrl = None,
    files: Files = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Show Google's quota used and left, by day, by minute, and of the busiest users; exit 1 from 95 % on."""
    scope = scope_of(service, env)
    with open_source(loki_url, files, None, default_since="25h") as source:
        uses = _uses(source, scope)
        queries = [
            query
            for table, window_s in ((QUOTA_DAY, _DAY_S), (QUOTA_MINUTE, _MINUTE_S), (QUOTA_USER_MINUTE, _MINUTE_S))
            for query in source.queries(table, scope, window_s).values()
        ]
        if as_json:
            say_json([{**asdict(use), "share": use.share} for use in uses])
        else:
            _print(uses)
            for query in queries if show_query else ():
                typer.echo(query)
    if any(use.share is not None and use.share >= _BREACH for use in uses):
        raise typer.Exit(1)


def _uses(source: Source, scope: Scope) -> list[Use]:
    days = source.rows(QUOTA_DAY, scope, window_s=_DAY_S)
    newest = max((row.key[1] for row in days), default="")
    hourly = {row.key[0]: row.values[0] or 0.0 for row in source.rows(QUOTA_MINUTE, scope, window_s=_HOUR_S)}
    uses = []
    for row in days:
        project, day = row.key
        if day == newest:
            used, limit = row.values[0] or 0.0, row.values[1]
            pace = hourly.get(project, 0.0) / _HOUR_S
            left_s = max(0.0, limit - used) / pace if limit and pace else None
            uses.append(Use(project, f"day {day}", used, limit, left_s))
    minute = source.rows(QUOTA_MINUTE, scope, window_s=_MINUTE_S)
    users = source.rows(QUOTA_USER_MINUTE, scope, _USERS, window_s=_MINUTE_S)
    named = [(row, "last minute") for row in minute]
    named += [(row, f"last minute, user {row.key[1] or '–'}") for row in users]
    return uses + [Use(row.key[0], name, row.values[0] or 0.0, row.values[1]) for row, name in named]


def _print(uses: list[Use]) -> None:
    console = terminal()
    if not uses:
        console.print("no call to Google in the last 25 hours")
        return
    shown = Rows()
    for title in ("project", "quota"):
        shown.add_column(title, overflow="fold")
    for title in ("used", "limit", "share", "lasts"):
        shown.add_column(title, justify="right", no_wrap=True)
    for use in uses:
        shown.add_row(
            use.project,
            use.quota,
            f"{use.used:,.0f}",
            "–" if use.limit is None else f"{use.limit:,.0f}",
            _share(use.share),
            "–" if use.left_s is None else _long(use.left_s),
        )
    console.print(shown)


def _share(share: float | None) -> Text:
    if share is None:
        return Text("–")
    return Text(f"{100 * share:.1f} %", style="red" if share >= _BREACH else "yellow" if share >= _WARNING else "")


def _long(seconds: float) -> str:
    if seconds < _HOUR_S:
        return duration(seconds * 1_000_000_000)
    return f"{seconds / _HOUR_S:,.0f} h" if seconds < 72 * _HOUR_S else f"{seconds / (24 * _HOUR_S):,.0f} days"
