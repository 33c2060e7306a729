"""SLOs: is each objective kept, how fast is its error budget used, how much is left.

In: the rules of the objectives (loki/slos.yaml makes them). Out: a Dashboard. Never: an objective's name; they are the
project's.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, Panel, Query, Row, Variable
from logging_pkg.pipeline.dashboards.rule_book import RuleBook

#: The dashboard's uid, and the titles of the panels that objectives' alerts link to.
UID: Final = "slos"
PAGES_TITLE: Final = "Burn rate, an hour and 5 minutes"
TICKETS_TITLE: Final = "Burn rate, a day and 2 hours"
_SLO: Final = f'{CHOSEN}, slo=~"$slo"'
_BUDGET: Final = "slo:error_budget_left:ratio"
_QUERIES: Final = "service:http_queries_per_request:avg_1h"
_NOTHING: Final = "No events of an objective yet"
_LINES: Final = f'{{event=~"http.request_finished|sync.run_finished|google_api.call_finished", {CHOSEN}}}'


def _worst(series: str) -> str:
    return f"max by (slo) ({series}{{{_SLO}}})"


def _burn(title: str, description: str, windows: tuple[str, str], alerts: tuple[str, ...]) -> Panel:
    return Panel(
        title,
        description,
        tuple(Query(_worst(f"slo:burn_rate:avg_{window}"), f"{{{{slo}}}} {window}") for window in windows),
        unit="none",
        logs=_LINES,
        alerts=alerts,
        empty=_NOTHING,
    )


def service_levels(rules: RuleBook) -> Dashboard:
    """The dashboard; without rules of objectives it has no rows, and is not written."""
    pages = tuple(name for name in rules.alerts if name.endswith("SloPage"))
    tickets = tuple(name for name in rules.alerts if name.endswith("SloTicket"))
    return Dashboard(
        uid=UID,
        title="SLOs",
        description="Is each objective kept, how fast is its error budget used, how much is left of 30 days.",
        guide=guides.SLOS,
        time_from="now-24h",
        variables=(Variable("slo", f"label_values({_BUDGET}, slo)", description="Service level objectives"),),
        rows=(
            Row(
                "Error budgets",
                (
                    Panel(
                        "Error budget left",
                        "Of the bad events that 30 days may have. Below 0 the objective is missed.",
                        (Query(f"min by (slo) ({_BUDGET}{{{_SLO}}})", "{{slo}}"),),
                        kind="stat",
                        width=24,
                        unit="percentunit",
                        logs=_LINES,
                        runbooks=pages + tickets,
                        bad_below=0,
                        empty=_NOTHING,
                    ),
                    Panel(
                        "Objectives now",
                        "Share of bad events in 30 days, budget left, and how fast it is used: at a burn rate of 1 it "
                        "lasts exactly 30 days.",
                        (
                            Query(_worst("slo:error_ratio:avg_30d"), "bad in 30 d", "percentunit"),
                            Query(f"min by (slo) ({_BUDGET}{{{_SLO}}})", "budget left", "percentunit", bad_below=0),
                            Query(_worst("slo:burn_rate:avg_1h"), "burn rate 1 h", "none", alerts=pages),
                            Query(_worst("slo:burn_rate:avg_6h"), "burn rate 6 h", "none", alerts=pages),
                            Query(_worst("slo:burn_rate:avg_3d"), "burn rate 3 d", "none", alerts=tickets),
                        ),
                        kind="table",
                        logs=_LINES,
                        empty=_NOTHING,
                    ),
                    Panel(
                        "Error budget left over time",
                        "A steep fall is an incident, a steady one a service that is a little too bad.",
                        (Query(f"min by (slo) ({_BUDGET}{{{_SLO}}})", "{{slo}}"),),
                        unit="percentunit",
                        logs=_LINES,
                        bad_below=0,
                        runbooks=pages + tickets,
                        empty=_NOTHING,
                    ),
                    _burn(
                        PAGES_TITLE,
                        "Somebody is paged when both are over the limit: 2 % of the budget of 30 days in one hour.",
                        ("1h", "5m"),
                        pages,
                    ),
                    _burn(
                        TICKETS_TITLE,
                        "A ticket is written when both are over the limit.",
                        ("1d", "2h"),
                        tickets,
                    ),
                    _burn(
                        "Burn rate, 6 hours and 30 minutes",
                        "The page is due as well when both are over 6: 5 % of the budget in 6 hours.",
                        ("6h", "30m"),
                        pages,
                    ),
                    _burn(
                        "Burn rate, 3 days and 6 hours",
                        "The ticket is due as well when both are over 1: the budget will not last its 30 days.",
                        ("3d", "6h"),
                        tickets,
                    ),
                ),
                needs=_BUDGET,
            ),
            Row(
                "Service levels that are no share of good events",
                (
                    Panel(
                        "Database queries per request, over an hour",
                        "Mean over all requests of an hour, by service. The target is 5.",
                        (Query(f"max by (service_name) ({_QUERIES}{{{CHOSEN}}})", "{{service_name}}"),),
                        unit="short",
                        width=24,
                        logs=f'{{event="http.request_finished", {CHOSEN}}} '
                        '| json route="route", query_count="query_count" | query_count > 5',
                        alerts=("ManyQueriesPerRequest",),
                        empty="No requests",
                    ),
                ),
                needs=_QUERIES,
            ),
        ),
    )
