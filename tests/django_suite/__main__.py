"""Run parts of Django's own test suite without and with the instrumentation: `python -m tests.django_suite [LABEL …]`.

In: Django's source distribution (fetched once), labels. Out: a table; exit status 1 where a test differs.
Never: a difference that is not named.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.django_suite.runs import EXPLAINED, SQLITE, Comparison, compare
from tests.django_suite.source import SourceError, django_tests
from tests.throwaway_servers import postgresql_server, redis_servers

#: What the instrumentation touches, and what stands on that: a folder of Django's tests each.
LABELS = (
    "asgi",
    "async",
    "auth_tests",
    "backends",
    "builtin_server",
    "bulk_create",
    "cache",
    "conditional_processing",
    "contenttypes_tests",
    "context_processors",
    "csrf_tests",
    "db_utils",
    "decorators",
    "deprecation",
    "dispatch",
    "file_uploads",
    "generic_views",
    "get_or_create",
    "handlers",
    "httpwrappers",
    "logging_tests",
    "messages_tests",
    "middleware",
    "middleware_exceptions",
    "multiple_database",
    "prefetch_related",
    "queries",
    "raw_query",
    "requests_tests",
    "responses",
    "save_delete_hooks",
    "select_for_update",
    "servers",
    "sessions_tests",
    "shortcuts",
    "signals",
    "staticfiles_tests",
    "test_client",
    "test_client_regress",
    "test_runner",
    "test_utils",
    "transaction_hooks",
    "transactions",
    "urlpatterns_reverse",
    "view_tests",
    "wsgi",
)

#: Those where the database's kind matters, run once more on PostgreSQL.
POSTGRESQL_LABELS = ("async", "backends", "db_utils", "select_for_update", "transaction_hooks", "transactions")


def main(arguments: list[str] | None = None) -> int:
    """Print one row per label; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.django_suite", description=__doc__.partition("\n")[0])
    parser.add_argument("labels", nargs="*", metavar="LABEL", help="folders or dotted names of Django's tests")
    parser.add_argument(
        "--all", action="store_true", help="every folder of Django's tests on SQLite (a quarter of an hour)"
    )
    parser.add_argument("--strict", action="store_true", help="let the instrumentation raise its own faults")
    parser.add_argument("--sqlite-only", action="store_true", help="leave the runs on PostgreSQL out")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    try:
        tests = django_tests()
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2
    labels = options.labels or (_folders(tests) if options.all else LABELS)
    started = time.monotonic()
    results: list[Comparison] = []
    with ExitStack() as servers:
        # Two, since Django's tests flush theirs.
        redis: Mapping[str, str] = {}
        if any(label.startswith("cache") for label in labels):
            redis = servers.enter_context(redis_servers("without", "with"))
        plan: list[tuple[str, str, Mapping[str, Any]]] = [(label, label, SQLITE) for label in labels]
        if not (options.sqlite_only or options.all):
            chosen = [label for label in labels if label.partition(".")[0] in POSTGRESQL_LABELS]
            if chosen:
                server = servers.enter_context(postgresql_server())
                # Only to connect to: each run makes test databases of its own.
                databases = {"default": server.database("postgres"), "other": server.database("template1")}
                plan += [(f"{label} (PostgreSQL)", label, databases) for label in chosen]
        for number, (name, label, databases) in enumerate(plan, 1):
            begun = time.monotonic()
            result = compare(
                label,
                tests,
                strict=options.strict,
                databases=databases,
                redis=redis if label.startswith("cache") else {},
            )
            results.append(Comparison(name, result.without, result.instrumented))
            verdict = "differs" if results[-1].problems else "equal"
            print(f" ▸ {number}/{len(plan)} {name}: {verdict} ({time.monotonic() - begun:.0f} s)", flush=True)
    console.print(table(results))
    for test, reason in EXPLAINED.items():
        if any(test in result.different for result in results):
            print(f"explained: {test} {reason}")
    problems = [problem for result in results for problem in result.problems]
    for problem in problems:
        print(f"\n✗ {problem}")
    explained = sum(len(result.different) for result in results)
    equal = "without and with are equal" + (f" but for the {explained} explained" if explained else "")
    verdict = f"{len(problems)} problems" if problems else equal
    print(f"\n{verdict}; {time.monotonic() - started:.0f} s")
    return 1 if problems else 0


def _folders(tests: Path) -> list[str]:
    """The folders that have tests and need no database of their own kind."""
    no_tests = {"gis_tests", "import_error_package", "test_runner_apps"}
    return sorted({path.relative_to(tests).parts[0] for path in tests.glob("*/**/test*.py")} - no_tests)


def table(results: list[Comparison]) -> Table:
    """Passed, failed and skipped per label, without and with, and the events that show it was on."""
    rows = Table(title="Django's own tests, without / with the instrumentation")
    rows.add_column("label")
    for name in ("passed", "failed", "skipped", "differ", "events", "requests"):
        rows.add_column(name, justify="right")
    for result in results:
        rows.add_row(result.label, *_figures([result]))
    rows.add_section()
    rows.add_row("all", *_figures(results))
    return rows


def _figures(results: list[Comparison]) -> list[str]:
    def both(outcome: str) -> str:
        without = sum(result.without.count(outcome) for result in results)
        return f"{without:,} / {sum(result.instrumented.count(outcome) for result in results):,}"

    events = sum(result.instrumented.events.total() for result in results)
    # But for the runner's own, one per label.
    requests = sum(result.instrumented.events["http.request_finished"] - 1 for result in results)
    different = sum(len(result.different) for result in results)
    return [
        *(both(outcome) for outcome in ("passed", "failed", "skipped")),
        str(different),
        f"{events:,}",
        f"{requests:,}",
    ]


if __name__ == "__main__":
    sys.exit(main())
