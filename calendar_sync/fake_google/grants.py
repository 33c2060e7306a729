"""Who may speak for an account: its refresh token, and the access tokens issued for it.

In: tokens, an account to revoke or to grant anew.
Out: the account a token stands for; None once it is unknown, expired or revoked.
Never: HTTP, scopes, or a client's identity; any client may use any account's refresh token.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable

from calendar_sync.fake_google.clock import Clock
from calendar_sync.fake_google.records import Account

LIFETIME_S = 3600.0


class Grants:
    """The tokens of every account. Thread-safe.

    Each account starts with an access token that never expires (`Account.token`) and a refresh token. Access tokens
    issued for the latter live for `lifetime_s` seconds, which may be changed at any time.
    """

    def __init__(self, accounts: Iterable[Account], clock: Clock, lifetime_s: float = LIFETIME_S) -> None:
        self.lifetime_s = lifetime_s
        self._clock = clock
        self._lock = threading.Lock()
        self._by_refresh_token = {account.refresh_token: account for account in accounts}
        self._by_token = {account.token: account for account in self._by_refresh_token.values()}
        self._issued: dict[str, tuple[Account, float]] = {}
        self._revoked: set[str] = set()

    def account_for(self, token: str) -> Account | None:
        """The account that an access token speaks for."""
        with self._lock:
            return self._account_for(token)

    def owner_of(self, token: str) -> Account | None:
        """The account that an access or refresh token belongs to, a revoked refresh token's included."""
        with self._lock:
            return self._by_refresh_token.get(token) or self._account_for(token)

    def is_revoked(self, account: Account) -> bool:
        """Whether the account's tokens were revoked."""
        with self._lock:
            return account.id in self._revoked

    def issue(self, account: Account) -> str:
        """A new access token for the account."""
        token = f"fake-access-{secrets.token_hex(16)}"
        with self._lock:
            now = self._clock.epoch()
            self._issued = {other: kept for other, kept in self._issued.items() if kept[1] > now}
            self._issued[token] = (account, now + self.lifetime_s)
        return token

    def expire(self, account: Account | None = None) -> int:
        """End the issued access tokens of an account, or of all, at once; returns how many there were."""
        with self._lock:
            ended = [token for token, (owner, _) in self._issued.items() if account is None or owner.id == account.id]
            for token in ended:
                del self._issued[token]
            return len(ended)

    def revoke(self, account: Account) -> None:
        """Make every token of an account stop working, those it started with included."""
        self.expire(account)
        with self._lock:
            self._revoked.add(account.id)

    def grant(self, account: Account) -> None:
        """Let the tokens an account started with work again, as if its user had connected it anew."""
        with self._lock:
            self._revoked.discard(account.id)

    def _account_for(self, token: str) -> Account | None:
        account = self._by_token.get(token)
        if account is None:
            account, expires = self._issued.get(token, (None, 0.0))
            if expires <= self._clock.epoch():
                return None
        return account if account is not None and account.id not in self._revoked else None
