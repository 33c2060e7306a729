"""`manage.py connect_google_account`: give a user access to a real Google account.

In: `--user NAME --email ADDRESS --authorized-user FILE`; docs/GOOGLE_ACCOUNTS.md says how to come by the file.
Out: the account, its tokens encrypted; after a first refresh, so that a token that does not work is refused here.
Never: a token on the terminal or in a log.
"""

import json
from pathlib import Path
from typing import Any

import httplib2
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from google.auth.exceptions import GoogleAuthError
from google_auth_httplib2 import Request

from calendar_sync.google import AccountCredentials
from calendar_sync.models import GoogleAccount
from logging_pkg.instrumentation.google_api import InstrumentedHttp


class Command(BaseCommand):
    """Connect a Google account."""

    help = "Connect a Google account to a user, with the refresh token of an authorized-user file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", required=True, metavar="NAME", help="user name on this site")
        parser.add_argument("--email", required=True, metavar="ADDRESS", help="address of the Google account")
        parser.add_argument("--google-id", metavar="ID", help="Google's ID of the account (default: the address)")
        parser.add_argument(
            "--authorized-user", required=True, type=Path, metavar="FILE", help="JSON with refresh_token"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.get(username=options["user"])
        except User.DoesNotExist:
            raise CommandError(f"no user {options['user']!r}; `manage.py createsuperuser` makes one") from None
        refresh_token = _refresh_token(options["authorized_user"])
        with transaction.atomic():
            # The tokens of before are not read: they may be why it is connected again.
            accounts = GoogleAccount.objects.defer("access_token", "refresh_token")
            account, created = accounts.update_or_create(
                user=user,
                google_id=options["google_id"] or options["email"],
                defaults={"email": options["email"], "access_token": "", "refresh_token": refresh_token},
            )
            http = InstrumentedHttp(timeout=settings.GOOGLE_TIMEOUT_S)
            try:
                AccountCredentials(account).refresh(Request(http))
            except (GoogleAuthError, OSError, httplib2.HttpLib2Error) as error:
                raise CommandError(
                    f"{settings.GOOGLE_TOKEN_URI} gives no access token for this file ({type(error).__name__}); check "
                    "that GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are those the file was made with, and make it anew"
                ) from None
            finally:
                http.close()
        self.stdout.write(f"account {account.pk} {account.email}: {'connected' if created else 'connected again'}")


def _refresh_token(path: Path) -> str:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise CommandError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise CommandError(f"{path}: not JSON") from None
    token = content.get("refresh_token") if isinstance(content, dict) else None
    if not isinstance(token, str) or not token:
        raise CommandError(
            f'{path}: no "refresh_token" in it, expected an authorized-user file (docs/GOOGLE_ACCOUNTS.md)'
        )
    return token
