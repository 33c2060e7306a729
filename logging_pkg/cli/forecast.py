"""`logpipe forecast`: how long disks, memory, databases and the day's quota last, and which tables grow.

In: the forecasting alerts' rules, Loki, Prometheus. Out: tables, or JSON; exit code 1 when one is beyond its alert's
limit, 3 when a server does not answer. Never: a slope of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from logging_pkg.analysis.words import size, span
from logging_pkg.cli.loki import LokiUrl
from logging_pkg.cli.options import AsJson, ShowQuery
from logging_pkg.cli.output import Rows, say_json, terminal
from logging_pkg.cli.servers import PrometheusUrl, open_servers
from logging_pkg.exceptions import ConfigurationError
from logging_pkg.loki_client import VectorSample
from logging_pkg.pipeline.alert_story import alert_rules
from logging_pkg.pipeline.forecast import FORECASTS, GROWTH_QUERY, Forecast, forecasts_of

BREACH, UNANSWERED = 1, 3
#: An hour of heartbeats, or a day of calls, takes Loki its time.
_TIMEOUT_S: Final = 60.0


def forecast(
    tables: Annotated[int, typer.Option("--tables", min=1, max=100, help="Growing tables shown.")] = 5,
    config: Annotated[
        Path | None, typer.Option("--config", help="Directory of loki.yaml, rules/ and prometheus_rules/.")
    ] = None,
    loki_url: LokiUrl = None,
    prometheus_url: PrometheusUrl = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Show when disk, memory, databases and Google's quota are used up; exit 1 when one is beyond its alert's limit."""
    rules = {found.rule.name: found for found in alert_rules(config) if found.rule.name in FORECASTS}
    found: dict[str, list[Forecast]] = {}
    growth_query = GROWTH_QUERY.format(limit=tables)
    with open_servers(loki_url, prometheus_url, None, timeout_s=_TIMEOUT_S) as servers:
        loki, prometheus = servers.loki, servers.prometheus
        if loki is None and prometheus is None:
            raise ConfigurationError(
                "no server known: start them with `logpipe stack up`, or give --loki-url and --prometheus-url"
            )
        for name in FORECASTS:
            answer = servers.answer(partial(forecasts_of, rules[name], loki, prometheus)) if name in rules else None
            if answer is not None:
                found[name] = list(answer)
        growth = servers.answer(lambda: prometheus.query(growth_query).samples) if prometheus is not None else None
        servers.tell(without=("Alertmanager",))
    every = [one for forecasts in found.values() for one in forecasts]
    if as_json:
        growing = [{"of": _labels(sample), "bytes_per_day": sample.value} for sample in growth or ()]
        say_json({"forecasts": [asdict(one) for one in every], "growth": growing})
    else:
        _print(terminal(), found)
        _print_growth(terminal(), growth or ())
        queries = [rules[name].value_query for name in found] + [growth_query] * (growth is not None)
        for query in queries if show_query else ():
            typer.echo(query)
    if any(one.is_breach for one in every):
        raise typer.Exit(BREACH)
    if servers.problems:
        raise typer.Exit(UNANSWERED)


def _print(console: Console, found: dict[str, list[Forecast]]) -> None:
    shown = Rows()
    for title in ("what", "of"):
        shown.add_column(title, overflow="fold")
    shown.add_column("lasts", justify="right", no_wrap=True)
    shown.add_column("alert at", justify="right", no_wrap=True)
    for name, forecasts in found.items():
        for one in forecasts:
            shown.add_row(
                one.what,
                " ".join(one.of.values()),
                Text(_left(one), style="bold red" if one.is_breach else ""),
                _limit(one),
            )
        if not forecasts:
            shown.add_row(FORECASTS[name][0], Text("no end in sight, or too few samples", style="dim"), "–", "")
    console.print(shown)


def _left(one: Forecast) -> str:
    if one.share is not None:
        return f"{100 * one.share:,.0f} % by midnight Pacific"
    return span(one.left_s or 0.0)


def _limit(one: Forecast) -> str:
    if one.alert_share is not None:
        return f"{100 * one.alert_share:,.0f} %"
    return span(one.alert_s) if one.alert_s is not None else ""


def _print_growth(console: Console, growth: Sequence[VectorSample]) -> None:
    if not growth:
        console.print("tables: none grows, or half a day of samples is not there yet")
        return
    shown = Rows()
    for title in ("growing table", "of"):
        shown.add_column(title, overflow="fold")
    for title in ("a day", "in 30 days"):
        shown.add_column(title, justify="right", no_wrap=True)
    for sample in sorted(growth, key=lambda sample: -sample.value):
        labels = _labels(sample)
        table = labels.pop("table", "?")
        shown.add_row(table, " ".join(labels.values()), size(sample.value), size(30 * sample.value))
    console.print(shown)


def _labels(sample: VectorSample) -> dict[str, str]:
    return {name: text for name, text in sorted(sample.labels.items()) if name != "__name__"}
