"""`manage.py sample_database_size`: tell how large the databases and their tables are, once; for cron.

In: aliases. Out: `db.size_sampled` and `db.table_size_sampled`, and a line per alias; exit status 1 when one failed.
Never: writes to a database, counts a large table.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from logging_pkg.instrumentation.database.size import report_size


class Command(BaseCommand):
    """Emit sizes once."""

    help = "Emit the sizes of the databases and of their largest tables, once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which databases."""
        parser.add_argument("aliases", nargs="*", metavar="ALIAS", help="databases to look at (default: all)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look, emit, and say what was found."""
        known = list(connections)
        failed = []
        for alias in options["aliases"] or known:
            if alias not in known:
                raise CommandError(f'DATABASES has no "{alias}"; it has {", ".join(known)}')
            try:
                found = report_size(alias)
            except DatabaseError as error:
                failed.append(alias)
                self.stderr.write(self.style.ERROR(f"{alias}: {error}"))
                continue
            if found is None:
                self.stderr.write(self.style.WARNING(f"{alias}: no sizes; its vendor is not known here"))
                continue
            largest = f"; the largest is {found.tables[0].name}" if found.tables else ""
            self.stdout.write(f"{alias}: {found.size_bytes:,} bytes in {found.table_count} tables{largest}")
        if failed:
            raise CommandError(f"{len(failed)} databases could not be asked: {', '.join(failed)}")
