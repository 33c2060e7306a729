"""`manage.py encrypt_tokens`: encrypt every account's tokens anew with the first key, after a new one was put in front.

In: the keys of TOKEN_ENCRYPTION_KEYS; `--new-key` to make one. Out: rows. Never: a token on the terminal.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from calendar_sync.encryption import UnreadableSecret, new_key
from calendar_sync.models import GoogleAccount


class Command(BaseCommand):
    """Encrypt stored tokens with the newest key."""

    help = "Encrypt the stored tokens with the first key of TOKEN_ENCRYPTION_KEYS."
    # So that a key can be made before there is one.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new-key", action="store_true", help="print a new key, and do nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_key"]:
            self.stdout.write(new_key())
            return
        with transaction.atomic():
            try:
                accounts = list(GoogleAccount.objects.select_for_update())
            except UnreadableSecret as error:
                raise CommandError(str(error)) from None
            for account in accounts:
                account.save_tokens()
        self.stdout.write(f"tokens of {len(accounts)} accounts are encrypted with the first key")
