"""A client of `/_control/`, for tests, the demonstration and anything else that drives the server from outside.

In: method calls.
Out: control requests over HTTP, their JSON answers.
Never: API requests; those are the real client's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from calendar_sync.fake_google.messages import Resource

# The server is on loopback: a proxy from the environment has no business between.
_OPENER = build_opener(ProxyHandler({}))


class ControlClient:
    """Drives a fake server at `url`, its root with or without the last slash.

    Every method raises ValueError with the server's message when the request was wrong.
    """

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self._root = url.rstrip("/") + "/_control/"
        self._timeout_s = timeout_s

    def state(self) -> Resource:
        """Accounts with tokens and calendars, quota limits and use (window and day), faults, ledger counts."""
        return self._call("GET", "state")

    def reset(self) -> None:
        """Seed again; forget faults, quota use and ledger; every sync token expires."""
        self._call("POST", "reset")

    def fail(self, kind: str, **options: Any) -> None:
        """Queue a fault; options are fields of `faults.Fault`: count, operation, account, status, retry_after_s."""
        self._call("POST", "faults", {"kind": kind, **options})

    def clear_faults(self) -> None:
        """Forget every queued fault, fault rate and latency."""
        self._call("DELETE", "faults")

    def set_fault_rates(
        self, rates: Mapping[str, float], *, seed: int = 0, status: int = 503, retry_after_s: float | None = None
    ) -> None:
        """Let a share of the requests (0 to 1 by kind) meet a fault, the same ones for the same seed; `{}` ends it."""
        body = {"rates": dict(rates), "seed": seed, "status": status, "retry_after_s": retry_after_s}
        self._call("POST", "fault-rates", body)

    def set_latency(self, milliseconds: float, operation: str | None = None) -> None:
        """Make requests wait, in ms; 0 ends it."""
        self._call("POST", "latency", {"ms": milliseconds, "operation": operation})

    def set_quota(self, **limits: float | None) -> Resource:
        """Change fields of `quota.QuotaLimits`; None is no limit."""
        return self._call("POST", "quota", limits)

    def expire_sync_tokens(self, *, calendar: str | None = None, account: str | None = None) -> None:
        """Make the next sync with a token of that calendar, that account, or any, answer 410."""
        chosen = {"calendar": calendar, "account": account}
        self._call("POST", "expire-sync-tokens", {key: value for key, value in chosen.items() if value is not None})

    def revoke(self, account: str) -> None:
        """Make every token of an account stop working, its refresh token included."""
        self._call("POST", "revoke", {"account": account})

    def grant(self, account: str) -> None:
        """Let a revoked account's first tokens work again."""
        self._call("POST", "grant", {"account": account})

    def expire_access_tokens(self, account: str | None = None) -> None:
        """End the access tokens issued for refresh tokens, of one account or of all."""
        self._call("POST", "expire-access-tokens", {"account": account})

    def set_token_lifetime(self, seconds: float) -> None:
        """Say how long access tokens issued from now on live, in seconds."""
        self._call("POST", "token-lifetime", {"seconds": seconds})

    def mutate(self, calendar: str, *, add: int = 0, change: int = 0, delete: int = 0) -> Resource:
        """Add, change, delete events; returns their IDs under `added`, `changed`, `deleted`."""
        return self._call("POST", "mutate", {"calendar": calendar, "add": add, "change": change, "delete": delete})

    def add_calendar(self, account: str, calendar: str, **fields: Any) -> Resource:
        """Add an empty calendar to an account."""
        return self._call("POST", "calendars", {"account": account, "id": calendar, **fields})

    def delete_calendar(self, calendar: str) -> None:
        """Delete a calendar; the calendar list then has its tombstone."""
        self._call("DELETE", f"calendars?{urlencode({'calendar': calendar})}")

    def events(self, calendar: str) -> list[Resource]:
        """Every live event of a calendar: the truth a local copy must equal."""
        items: list[Resource] = self._call("GET", f"events?{urlencode({'calendar': calendar})}")["items"]
        return items

    def channels(self) -> list[Resource]:
        """Notification channels: id, account, address, active, expiration (ms), and counts of their messages."""
        channels: list[Resource] = self._call("GET", "channels")["channels"]
        return channels

    def wait_for_notifications(self, timeout_s: float = 10.0) -> list[Resource]:
        """Wait until no notification is to be delivered any more; returns the channels. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while True:
            channels = self.channels()
            if not any(channel["pending"] for channel in channels):
                return channels
            if time.monotonic() > deadline:
                raise TimeoutError(f"notifications still pending after {timeout_s:g} s: {channels}")
            time.sleep(0.01)

    def ledger(self, since: int = 0) -> list[Resource]:
        """The requests seen, those numbered above `since`; the fields of `ledger.Entry` and `number`."""
        entries: list[Resource] = self._call("GET", f"ledger?since={since}")["entries"]
        return entries

    def clear_ledger(self) -> None:
        """Forget the ledger's entries."""
        self._call("DELETE", "ledger")

    def _call(self, method: str, path: str, body: Resource | None = None) -> Resource:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._root + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with _OPENER.open(request, timeout=self._timeout_s) as answer:
                return dict(json.load(answer))
        except HTTPError as error:
            raise ValueError(json.load(error)["error"]) from error
