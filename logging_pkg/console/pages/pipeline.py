"""The pipeline itself: servers, shipping, losses, rules.

In: a Desk. Out: Sections. Never: good news without a number behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from logging_pkg import conf
from logging_pkg.console.asking import State
from logging_pkg.console.desk import Desk
from logging_pkg.console.lists import EventList
from logging_pkg.console.pages.alerts import failing
from logging_pkg.console.pages.queries_of import lines, series, whole
from logging_pkg.console.panels import Chart, Panel, Section, Tile, counted
from logging_pkg.loki_client import Rule
from logging_pkg.pipeline import event_queries


@dataclass(frozen=True, slots=True)
class ShownServer:
    """A server and whether it answers."""

    name: str
    address: str
    state: State
    problem: str


@dataclass(frozen=True, slots=True)
class ServersPanel(Panel):
    """The servers this console reads."""

    kind: ClassVar[str] = "servers"

    @property
    def is_ready(self) -> bool:
        """That one does not answer is what it shows."""
        return True

    @property
    def problem(self) -> str:
        """It has none of its own."""
        return ""

    @property
    def servers(self) -> list[ShownServer]:
        """Each with its address."""
        settings = conf.settings()
        addresses = {"Loki": settings.loki_url, "Prometheus": settings.prometheus_url}
        return [
            ShownServer(
                question.server,
                addresses.get(question.server, settings.alertmanager_url) or "not set",
                question.answer.state,
                question.answer.problem,
            )
            for question in self.questions
        ]


@dataclass(frozen=True, slots=True)
class FailingRulesPanel(Panel):
    """Rules whose last evaluation failed."""

    kind: ClassVar[str] = "failing_rules"

    @property
    def rules(self) -> list[Rule]:
        """Of Loki's ruler and of Prometheus."""
        return [rule for question in self.questions for rule in question.answer.value if rule.health == "err"]


def pipeline(desk: Desk) -> Sequence[Section]:
    """Servers first: without them nothing else can be said."""
    chosen, window = desk.selection, whole(desk.selection)
    rules = (desk.rules(), desk.prometheus_rules())
    servers = tuple(desk.ready(name) for name in ("Loki", "Prometheus", "Alertmanager"))
    # Over all services: shippers and rules belong to no single one.
    return (
        Section((ServersPanel("Servers", servers),)),
        Section(
            (
                Tile("Events stored", (desk.logql(_stored(desk)),), note="lines in this time", read=counted),
                Tile(
                    "Late",
                    (desk.logql(event_queries.shipper_lag_s(chosen.matchers)),),
                    note="age of the oldest event not shipped",
                    unit="s",
                    limit=60,
                    target="at most 1 min",
                    empty="no shipper reports",
                ),
                Tile(
                    "Not shipped yet",
                    (desk.logql(event_queries.backlog_bytes(chosen.matchers)),),
                    unit="bytes",
                    empty="no shipper reports",
                ),
                Tile(
                    "Dead letters",
                    (desk.logql(event_queries.dead_letters(window, chosen.matchers)),),
                    note="lines that were no events",
                    limit=0,
                    target="none",
                    empty="no shipper reports",
                ),
                Tile(
                    "Refused events",
                    (desk.logql(event_queries.refused_events(window, chosen.matchers)),),
                    note="that broke their schema",
                    limit=0,
                    target="none",
                    read=counted,
                ),
                Tile(
                    "Deleted before shipping",
                    (desk.logql(event_queries.deleted_events(window, chosen.matchers)),),
                    note="the disk's share was used up",
                    limit=0,
                    target="none",
                    read=counted,
                ),
                Tile(
                    "Could not be written",
                    (desk.logql(event_queries.unwritten_events(window, chosen.matchers)),),
                    note="lines, of the process with the most",
                    limit=0,
                    target="none",
                    empty="no process reports",
                ),
                Tile(
                    "Processes alive",
                    (desk.logql(event_queries.processes_alive(chosen.matchers)),),
                    note="with a heartbeat in the last minute",
                    read=counted,
                ),
                Tile(
                    "Rules that fail",
                    rules,
                    limit=0,
                    target="none",
                    read=failing,
                ),
                Tile(
                    "Newest recorded sample",
                    (desk.promql(event_queries.recorded_age_s(chosen.braces)),),
                    note="age in Prometheus; the ruler looks once a minute",
                    unit="s",
                    limit=180,
                    target="at most 3 min",
                    empty="nothing recorded",
                ),
            ),
            "tiles",
            f"The last {chosen.range}",
        ),
        Section((FailingRulesPanel("Rules that fail", rules),)),
        Section(
            (
                Chart(
                    "Age of the oldest event not shipped",
                    (desk.series(series(chosen, "shipper:shipper_lag_s:avg_5m", "shipper")),),
                    unit="s",
                    names=("shipper",),
                    window_s=chosen.window_s,
                    limit=60,
                ),
                Chart(
                    "Memory per process",
                    (desk.series(series(chosen, "service:process_memory_bytes:avg_5m", "service_name")),),
                    unit="bytes",
                    names=("service_name",),
                    window_s=chosen.window_s,
                ),
            ),
            "charts",
        ),
        Section(
            (
                EventList(
                    "Refused or deleted, newest",
                    (desk.lines(lines(chosen, "logging.(event_rejected|file_deleted)"), 10),),
                    empty="nothing was refused or deleted",
                ),
                EventList(
                    "Warnings and errors of the log, newest",
                    (desk.lines(lines(chosen, "log.message_recorded") + ' | level=~"warning|error|critical"', 10),),
                    empty="no warning",
                ),
            ),
            "lists",
        ),
    )


def _stored(desk: Desk) -> str:
    return f'sum(count_over_time({{event=~".+"{desk.selection.matchers}}} [{desk.selection.window_s}s]))'
