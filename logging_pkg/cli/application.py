"""The commands of `logpipe`, put together.

In: one module per command. Out: the typer application. Never: a command's own logic.
"""

from __future__ import annotations

import typer

from logging_pkg.cli import compare, rules, schema, stack
from logging_pkg.cli.alerts import alerts
from logging_pkg.cli.backfill import backfill
from logging_pkg.cli.check import check
from logging_pkg.cli.doctor import doctor
from logging_pkg.cli.explain import explain
from logging_pkg.cli.forecast import forecast
from logging_pkg.cli.generate import generate
from logging_pkg.cli.init import init
from logging_pkg.cli.probe import probe
from logging_pkg.cli.quota import quota
from logging_pkg.cli.search import search, tail
from logging_pkg.cli.ship import ship, vector_config
from logging_pkg.cli.slo import slo
from logging_pkg.cli.top import syncs, top
from logging_pkg.cli.trace import trace

application = typer.Typer(
    name="logpipe",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Ship, query, check and test the JSON events your application emits.",
)
application.add_typer(stack.app, name="stack")
application.add_typer(schema.app, name="schema")
application.add_typer(rules.app, name="rules")
application.add_typer(compare.app, name="compare")
application.command()(ship)
application.command()(probe)
application.command()(trace)
application.command()(search)
application.command()(tail)
application.command()(top)
application.command()(syncs)
application.command()(quota)
application.command()(alerts)
application.command()(doctor)
application.command()(explain)
application.command()(slo)
application.command()(init)
application.command()(forecast)
application.command()(check)
application.command()(generate)
application.command("vector-config")(vector_config)
application.command()(backfill)
