"""`/_control/`: what a test or a demonstration does to the server, and what it reads from it.

In: control requests with a JSON object as body.
Out: JSON. Errors are 400/404 with `{"error": "<what was wrong and what was expected>"}`.
Never: an entry in the ledger, authentication, quota.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from urllib.parse import unquote

from calendar_sync.fake_google.application import FakeGoogle
from calendar_sync.fake_google.calendar_list import ACCESS_ROLES
from calendar_sync.fake_google.fault_rates import FaultRates
from calendar_sync.fake_google.faults import Fault
from calendar_sync.fake_google.messages import ApiError, Request, Resource, Response
from calendar_sync.fake_google.quota import QuotaLimits
from calendar_sync.fake_google.records import Account, CalendarRecord
from calendar_sync.fake_google.seed import all_day_event

PREFIX = "/_control/"


class Control:
    """Routes control requests to the application's parts."""

    def __init__(self, application: FakeGoogle) -> None:
        self._app = application
        self._routes: dict[tuple[str, str], Callable[[Request], Resource]] = {
            ("GET", "state"): self._state,
            ("POST", "reset"): self._reset,
            ("GET", "events"): self._events,
            ("GET", "ledger"): self._ledger,
            ("DELETE", "ledger"): self._clear_ledger,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "fault-rates"): self._fault_rates,
            ("POST", "latency"): self._latency,
            ("POST", "quota"): self._quota,
            ("POST", "expire-sync-tokens"): self._expire,
            ("POST", "expire-access-tokens"): self._expire_access_tokens,
            ("POST", "token-lifetime"): self._token_lifetime,
            ("POST", "revoke"): self._revoke,
            ("POST", "grant"): self._grant,
            ("POST", "mutate"): self._mutate,
            ("POST", "calendars"): self._add_calendar,
            ("DELETE", "calendars"): self._delete_calendar,
        }

    def handle(self, request: Request) -> Response:
        """Answer one control request."""
        name = unquote(request.path.removeprefix(PREFIX)).rstrip("/")
        action = self._routes.get((request.method, name))
        if action is None:
            known = ", ".join(f"{method} {path}" for method, path in sorted(self._routes))
            return Response(
                404, {"error": f"{request.method} {request.path}: no such control; expected one of {known}"}
            )
        try:
            return Response(200, action(request))
        except (ApiError, KeyError, TypeError, ValueError) as error:
            return Response(400, {"error": f"{request.method} {request.path}: {type(error).__name__}: {error}"})

    def _state(self, request: Request) -> Resource:
        with self._app.store.lock:
            accounts = [
                {
                    "id": account.id,
                    "email": account.email,
                    "token": account.token,
                    "refresh_token": account.refresh_token,
                    "revoked": self._app.grants.is_revoked(account),
                    "calendars": [
                        {"id": calendar.id, "summary": calendar.entry["summary"], "events": len(calendar.live_events())}
                        for calendar in account.calendars.values()
                        if not calendar.deleted
                    ],
                }
                for account in self._app.store.accounts.values()
            ]
        return {
            "accounts": accounts,
            "quota": {"limits": dataclasses.asdict(self._app.quota.limits), **self._app.quota.usage()},
            "faults_pending": self._app.faults.pending(),
            "fault_rates": self._app.faults.rates.as_json(),
            "ledger": self._app.ledger.summary(),
        }

    def _reset(self, request: Request) -> Resource:
        self._app.reset()
        return {"reset": True}

    def _events(self, request: Request) -> Resource:
        """The truth to compare a local copy with: every live event of a calendar."""
        with self._app.store.lock:
            _, calendar = self._find(request.query["calendar"])
            return {"items": [event.resource for event in calendar.live_events()]}

    def _ledger(self, request: Request) -> Resource:
        entries = self._app.ledger.since(int(request.query.get("since", "0")))
        return {"entries": [{"number": number, **dataclasses.asdict(entry)} for number, entry in entries]}

    def _clear_ledger(self, request: Request) -> Resource:
        self._app.ledger.clear()
        return {"entries": []}

    def _add_fault(self, request: Request) -> Resource:
        self._app.faults.add(Fault(**request.json()))
        return {"faults_pending": self._app.faults.pending()}

    def _clear_faults(self, request: Request) -> Resource:
        self._app.faults.clear()
        return {"faults_pending": 0}

    def _fault_rates(self, request: Request) -> Resource:
        """The rates replace those before, and the sequence begins anew; empty ones end it."""
        self._app.faults.set_rates(FaultRates(**request.json()))
        return self._app.faults.rates.as_json()

    def _latency(self, request: Request) -> Resource:
        body = request.json()
        milliseconds = float(body["ms"])
        if not 0 <= milliseconds <= 60_000:
            raise ValueError(f"ms {milliseconds:g}: expected 0 to 60000")
        self._app.faults.set_latency(milliseconds, body.get("operation"))
        return {"ms": milliseconds, "operation": body.get("operation")}

    def _quota(self, request: Request) -> Resource:
        """Fields that are left out keep their value; the usage so far stays counted."""
        self._app.quota.limits = QuotaLimits(**{**dataclasses.asdict(self._app.quota.limits), **request.json()})
        return dataclasses.asdict(self._app.quota.limits)

    def _expire(self, request: Request) -> Resource:
        """Sync tokens of one calendar (`calendar`), of one account (`account`: its list and calendars), or of all."""
        body = request.json()
        with self._app.store.lock:
            if "calendar" in body:
                self._find(body["calendar"])[1].token_epoch += 1
                return {"expired": 1}
            accounts = (
                [self._app.store.account(body["account"])] if "account" in body else self._app.store.accounts.values()
            )
            expired = 0
            for account in accounts:
                account.token_epoch += 1
                for calendar in account.calendars.values():
                    calendar.token_epoch += 1
                expired += 1 + len(account.calendars)
            return {"expired": expired}

    def _expire_access_tokens(self, request: Request) -> Resource:
        """The issued access tokens of one account (`account`) or of all; those the accounts started with stay."""
        account_id = request.json().get("account")
        account = None if account_id is None else self._app.store.account(account_id)
        return {"expired": self._app.grants.expire(account)}

    def _token_lifetime(self, request: Request) -> Resource:
        """How long access tokens issued from now on live (`seconds`)."""
        seconds = float(request.json()["seconds"])
        if not seconds > 0:
            raise ValueError(f"seconds {seconds:g}: expected more than 0")
        self._app.grants.lifetime_s = seconds
        return {"seconds": seconds}

    def _revoke(self, request: Request) -> Resource:
        """Every token of an account stops working: 401 at the API, invalid_grant at the token endpoint."""
        account = self._app.store.account(request.json()["account"])
        self._app.grants.revoke(account)
        return {"revoked": account.id}

    def _grant(self, request: Request) -> Resource:
        """The tokens a revoked account started with work again."""
        account = self._app.store.account(request.json()["account"])
        self._app.grants.grant(account)
        return {"granted": account.id}

    def _mutate(self, request: Request) -> Resource:
        """Add, change and delete events of a calendar, as if somebody had done so in Google Calendar.

        The first live events in order are deleted, the next ones changed; returns the IDs of each.
        """
        body = request.json()
        counts = {name: int(body.get(name, 0)) for name in ("add", "change", "delete")}
        store = self._app.store
        with store.lock:
            account, calendar = self._find(body["calendar"])
            live = calendar.live_events()
            if counts["change"] + counts["delete"] > len(live):
                raise ValueError(f"change + delete: the calendar has only {len(live)} events")
            deleted, changed = live[: counts["delete"]], live[counts["delete"] :][: counts["change"]]
            for event in deleted:
                store.delete_event(calendar, event)
            for event in changed:
                summary = f"{event.resource.get('summary', '').split(' · ')[0]} · changed {store.version}"
                store.put_event(calendar, {**event.resource, "summary": summary})
            today = dt.datetime.now(dt.UTC).date()
            added = [
                store.put_event(
                    calendar,
                    all_day_event(account, calendar, today + dt.timedelta(days=number % 60), f"Added {store.version}"),
                ).id
                for number in range(counts["add"])
            ]
            return {
                "added": added,
                "changed": [event.id for event in changed],
                "deleted": [event.id for event in deleted],
            }

    def _add_calendar(self, request: Request) -> Resource:
        """An empty calendar for `account`: `id`, `summary` and any other field of a list entry."""
        body = request.json()
        with self._app.store.lock:
            account = self._app.store.account(body.pop("account"))
            defaults = {"timeZone": "UTC", "accessRole": "owner", "backgroundColor": "#9fc6e7", "selected": True}
            entry = {**defaults, "summary": body["id"], **body}
            if entry["accessRole"] not in ACCESS_ROLES:
                raise ValueError(f"accessRole {entry['accessRole']!r}: expected one of {', '.join(ACCESS_ROLES)}")
            return self._app.store.put_calendar(account, entry).entry

    def _delete_calendar(self, request: Request) -> Resource:
        with self._app.store.lock:
            account, calendar = self._find(request.query["calendar"])
            self._app.store.delete_calendar(account, calendar)
            return {"deleted": calendar.id}

    def _find(self, calendar_id: str) -> tuple[Account, CalendarRecord]:
        for account in self._app.store.accounts.values():
            calendar = account.calendars.get(calendar_id)
            if calendar is not None and not calendar.deleted:
                return account, calendar
        raise ValueError(f"calendar {calendar_id!r}: no such calendar; GET {PREFIX}state lists them")
