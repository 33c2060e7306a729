"""`manage.py seed_demo`: users with accounts that a fake Google server of the same size knows.

In: `--accounts N` (as given to `python -m calendar_sync.fake_google`), `--password`, `--staff`.
Out: N users with one account each, and a line about each; running it again changes nothing but tokens and passwords.
Never: runs against the real Google; the accounts exist only on a fake server.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from calendar_sync.fake_google.seed import demo_accounts
from calendar_sync.models import GoogleAccount


class Command(BaseCommand):
    """Create the demonstration's users and accounts."""

    help = "Create users and Google accounts for a fake Google server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--accounts", type=int, default=3, metavar="N", help="users, one account each (3)")
        parser.add_argument("--password", default="demo-password", help="every user's password (demo-password)")

        parser.add_argument(
            "--staff", default="", metavar="NAME", help="a user without an account who may see the console"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host = urlsplit(settings.GOOGLE_CALENDAR_API_ROOT).hostname
        if host is not None and host.endswith("googleapis.com"):
            raise CommandError(
                f"GOOGLE_CALENDAR_API_ROOT is {settings.GOOGLE_CALENDAR_API_ROOT}: set it to a fake server's root, "
                "e.g. http://127.0.0.1:8010/ for `python -m calendar_sync.fake_google --port 8010`"
            )
        with transaction.atomic():
            for seed in demo_accounts(options["accounts"]):
                user, _ = User.objects.get_or_create(username=seed.email.split("@")[0], defaults={"email": seed.email})
                _set_password(user, options["password"])
                account, created = GoogleAccount.objects.update_or_create(
                    user=user, google_id=seed.id, defaults={"email": seed.email, "access_token": seed.token}
                )
                state = "created" if created else "is there"
                self.stdout.write(f"user {user.get_username()}, account {account.pk} {account.email}: {state}")
            if options["staff"]:
                user, _ = User.objects.update_or_create(username=options["staff"], defaults={"is_staff": True})
                _set_password(user, options["password"])
                self.stdout.write(f"user {user.get_username()}, staff")


def _set_password(user: User, password: str) -> None:
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
