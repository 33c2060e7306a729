"""`/_control/`: what a test or a demonstration does to the server, and what it reads from it.

In: control requests with a JSON object as body.
Out: JSON. Errors are 400/404 with `{"error": "<what was wrong and what was expected>"}`.
Never: an entry in the ledger, authentication, quota.
"""

from __future__ import annotations

import dataclasses
from urllib.parse import unquote

from calendar_sync.fake_google import control_behaviour, control_data
from calendar_sync.fake_google.application import FakeGoogle
from calendar_sync.fake_google.control_data import PREFIX, Routes
from calendar_sync.fake_google.messages import ApiError, Request, Resource, Response


class Control:
    """Routes control requests to the application's parts."""

    def __init__(self, application: FakeGoogle) -> None:
        self._app = application

    def handle(self, request: Request) -> Response:
        """Answer one control request."""
        name = unquote(request.path.removeprefix(PREFIX)).rstrip("/")
        action = _ROUTES.get((request.method, name))
        if action is None:
            known = ", ".join(f"{method} {path}" for method, path in sorted(_ROUTES))
            return Response(
                404, {"error": f"{request.method} {request.path}: no such control; expected one of {known}"}
            )
        try:
            return Response(200, action(self._app, request))
        except (ApiError, KeyError, TypeError, ValueError) as error:
            return Response(400, {"error": f"{request.method} {request.path}: {type(error).__name__}: {error}"})


def _state(app: FakeGoogle, request: Request) -> Resource:
    with app.store.lock:
        accounts = [
            {
                "id": account.id,
                "email": account.email,
                "token": account.token,
                "refresh_token": account.refresh_token,
                "revoked": app.grants.is_revoked(account),
                "calendars": [
                    {"id": calendar.id, "summary": calendar.entry["summary"], "events": len(calendar.live_events())}
                    for calendar in account.calendars.values()
                    if not calendar.deleted
                ],
            }
            for account in app.store.accounts.values()
        ]
    return {
        "accounts": accounts,
        "quota": {"limits": dataclasses.asdict(app.quota.limits), **app.quota.usage()},
        "token_lifetime_s": app.grants.lifetime_s,
        "faults_pending": app.faults.pending(),
        "fault_rates": app.faults.rates.as_json(),
        "ledger": app.ledger.summary(),
    }


def _reset(app: FakeGoogle, request: Request) -> Resource:
    app.reset()
    return {"reset": True}


def _ledger(app: FakeGoogle, request: Request) -> Resource:
    entries = app.ledger.since(int(request.query.get("since", "0")))
    return {"entries": [{"number": number, **dataclasses.asdict(entry)} for number, entry in entries]}


def _clear_ledger(app: FakeGoogle, request: Request) -> Resource:
    app.ledger.clear()
    return {"entries": []}


def _channels(app: FakeGoogle, request: Request) -> Resource:
    return {"channels": app.channels.as_json()}


_ROUTES: Routes = {
    ("GET", "state"): _state,
    ("POST", "reset"): _reset,
    ("GET", "ledger"): _ledger,
    ("DELETE", "ledger"): _clear_ledger,
    ("GET", "channels"): _channels,
    **control_behaviour.ROUTES,
    **control_data.ROUTES,
}
