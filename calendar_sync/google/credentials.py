"""An account's access to Google: its tokens, refreshed when they have expired and saved then.

In: a row with tokens, the application's client ID and secret. Out: credentials for google-auth; new tokens in the row.
Never: a token in a log or an error; an outage of Google's taken for a refusal.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from django.conf import settings
from google.auth.exceptions import RefreshError, TransportError
from google.oauth2.credentials import Credentials

SCOPES = ("https://www.googleapis.com/auth/calendar",)


class TokenHolder(Protocol):
    """A GoogleAccount, as far as its tokens go."""

    access_token: str
    refresh_token: str
    token_expires_at: dt.datetime | None

    def save_tokens(self, *, refresh_token: bool = True) -> None:
        """Store the three, or all but the refresh token."""


class AccountCredentials(Credentials):
    """google-auth's credentials that save what a refresh has brought.

    google-auth refreshes shortly before the token expires, and AuthorizedHttp on a 401. An account without a refresh
    token (the fake server's static tokens) cannot be refreshed: google.auth.exceptions.RefreshError.
    """

    def __init__(self, holder: TokenHolder) -> None:
        expiry = holder.token_expires_at
        super().__init__(  # type: ignore[no-untyped-call]
            holder.access_token or None,
            refresh_token=holder.refresh_token or None,
            token_uri=settings.GOOGLE_TOKEN_URI,
            client_id=settings.GOOGLE_CLIENT_ID or None,
            client_secret=settings.GOOGLE_CLIENT_SECRET or None,
            scopes=SCOPES,
            # google-auth keeps UTC without a zone.
            expiry=None if expiry is None else expiry.astimezone(dt.UTC).replace(tzinfo=None),
        )
        self._holder = holder

    def refresh(self, request: Any) -> None:
        """Get a new access token, and save it before it is used.

        Raises:
            RefreshError: Google refuses the refresh token, or there is none.
            TransportError: it cannot be asked now.
        """
        status = None

        def noting(*args: Any, **kwargs: Any) -> Any:
            nonlocal status
            response = request(*args, **kwargs)
            status = int(response.status)
            return response

        try:
            super().refresh(noting)  # type: ignore[no-untyped-call]
        except RefreshError as error:
            # google-auth has one exception for "never again" and for "not now".
            if status is not None and (status == 429 or status >= 500):
                raise TransportError(f"the token endpoint answered {status}") from error  # type: ignore[no-untyped-call]
            raise
        holder = self._holder
        holder.access_token = str(self.token)
        holder.token_expires_at = None if self.expiry is None else self.expiry.replace(tzinfo=dt.UTC)
        # Google may hand out another refresh token with it. One that stayed is left alone: its user may have connected
        # the account again since it was read.
        before, holder.refresh_token = holder.refresh_token, str(self.refresh_token or "")
        holder.save_tokens(refresh_token=holder.refresh_token != before)
