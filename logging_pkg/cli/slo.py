"""`logpipe slo`: what is promised, and how much of each error budget is left.

In: loki/slos.yaml, the series recorded in Prometheus. Out: a table, or JSON; exit code 1 when a budget is spent, 3 when
Prometheus does not answer. Never: a ratio of its own.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from logging_pkg.cli.options import AsJson, Env, Service, ShowQuery
from logging_pkg.cli.output import Rows, say_json, terminal
from logging_pkg.cli.schema_directories import Directories, registry_of
from logging_pkg.cli.servers import PrometheusUrl, needed, open_servers
from logging_pkg.pipeline.alert_story import rules_home
from logging_pkg.pipeline.slo import read_slos
from logging_pkg.pipeline.slo.standing import BUDGET_QUERY, BURN_QUERY, ERROR_QUERY, Standing, standings

_BAR: Final = 20
#: Burn rates shown: the page's windows, and a day. At 14.4 over an hour somebody is paged (docs/SERVICE_LEVELS.md).
_SHOWN: Final = ("5m", "1h", "6h", "1d")


def slo(
    service: Service = None,
    env: Env = None,
    root: Annotated[Path | None, typer.Option("--root", help="The project: where loki/slos.yaml is.")] = None,
    prometheus_url: PrometheusUrl = None,
    schemas: Directories = None,
    show_query: ShowQuery = False,
    as_json: AsJson = False,
) -> None:
    """Show each objective: what was reached, what is left of the error budget; exit 1 when one is spent."""
    path = (root / "loki" if root else rules_home()) / "slos.yaml"
    slos = read_slos(path, str(path), registry_of(schemas)) if path.is_file() else []
    with open_servers(None, prometheus_url, None) as servers:
        found = standings(slos, needed(servers.prometheus, "Prometheus"))
    found = [
        one
        for one in found
        if (service is None or one.service_name in {service, ""}) and (env is None or one.env in {env, ""})
    ]
    if as_json:
        say_json([asdict(one) for one in found])
    else:
        _print(terminal(), found)
        for query in (BUDGET_QUERY, ERROR_QUERY, BURN_QUERY) if show_query else ():
            typer.echo(query)
    if any(one.is_spent for one in found):
        raise typer.Exit(1)


def _print(console: Console, found: list[Standing]) -> None:
    if not found:
        console.print("no objective: docs/SERVICE_LEVELS.md tells how to add one to loki/slos.yaml")
        return
    shown = Rows()
    for title in ("objective", "service"):
        shown.add_column(title, overflow="fold")
    for title in ("promised", "reached", "budget left"):
        shown.add_column(title, justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for window in _SHOWN:
        shown.add_column(f"burn {window}", justify="right", no_wrap=True)
    for one in found:
        days = f" over {one.window_days} d" if one.window_days else ""
        shown.add_row(
            one.name,
            " ".join(part for part in (one.service_name, f"({one.env})" if one.env else "") if part) or "–",
            "–" if one.objective is None else f"{100 * one.objective:g} %{days}",
            "no events" if one.good_ratio is None else f"{100 * one.good_ratio:.3g} %",
            _percent(one.budget_left),
            _bar(one.budget_left),
            *(_rate(one.burn_rates.get(window)) for window in _SHOWN),
        )
    console.print(shown)
    spent = [one.name for one in found if one.is_spent]
    if spent:
        words = f"spent: {', '.join(dict.fromkeys(spent))}. No risky release until bad days are out of the window."
        console.print(Text(words, style="bold red"), soft_wrap=True)


def _style(left: float) -> str:
    return "bold red" if left <= 0 else "yellow" if left < 0.25 else "green"


def _percent(left: float | None) -> Text:
    return Text("–", style="dim") if left is None else Text(f"{100 * left:,.0f} %", style=_style(left))


def _bar(left: float | None) -> Text:
    if left is None:
        return Text("")
    filled = round(_BAR * min(1.0, max(0.0, left)))
    return Text("█" * filled, style=_style(left)).append("░" * (_BAR - filled), "dim")


def _rate(rate: float | None) -> Text:
    if rate is None:
        return Text("–", style="dim")
    return Text(f"{rate:.1f}", style="red" if rate > 1 else "")
