"""`manage.py sync_calendars`: sync accounts once.

In: `--account ID` (may be repeated) or `--all`; `--verbosity 2` for progress.
Out: a line per account, with progress one per page too; exit status 1 when a sync failed.
Never: stops at the first account that fails.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from calendar_sync.encryption import UnreadableSecret
from calendar_sync.models import GoogleAccount
from calendar_sync.sync import ResourceReport, sync_account


def _ignore(_: ResourceReport) -> None:
    """No progress is shown."""


class Command(BaseCommand):
    """Sync Google accounts."""

    help = "Sync the calendars of Google accounts, once."

    def add_arguments(self, parser: CommandParser) -> None:
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("--account", type=int, action="append", metavar="ID", help="account to sync; repeatable")
        chosen.add_argument("--all", action="store_true", help="sync every account")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = GoogleAccount.objects.order_by("pk")
        if options["account"]:
            wanted = set(options["account"])
            accounts = accounts.filter(pk__in=wanted)
            missing = wanted - set(accounts.values_list("pk", flat=True))
            if missing:
                numbers = ", ".join(map(str, sorted(missing)))
                raise CommandError(f"no account {numbers}; `manage.py seed_demo` lists those it made")
        chosen = list(accounts.values_list("pk", flat=True))
        failed = sum(not self._sync(pk, verbose=options["verbosity"] > 1) for pk in chosen)
        if failed:
            raise CommandError(f"{failed} of {len(chosen)} accounts failed")

    def _sync(self, pk: int, *, verbose: bool) -> bool:
        """Sync one account; returns whether all of it went well."""
        try:
            account = GoogleAccount.objects.get(pk=pk)
        except (GoogleAccount.DoesNotExist, UnreadableSecret) as error:
            self.stderr.write(f"account {pk}: {error}")
            return False
        report = sync_account(account, "command", on_page=self._show if verbose else _ignore)
        events = report.events
        self.stdout.write(
            f"{account.pk} {account.email}: {events.created} new, {events.updated} changed, "
            f"{events.deleted} deleted, {events.unchanged} as before, {len(report.skipped)} busy"
        )
        for resource in report.failed:
            self.stderr.write(f"  {resource.calendar or 'list of calendars'}: {resource.error}")
        return not report.failed

    def _show(self, resource: ResourceReport) -> None:
        done = resource.created + resource.updated + resource.deleted + resource.unchanged
        self.stdout.write(f"  {resource.calendar or 'list of calendars'}: page {resource.pages}, {done} items")
