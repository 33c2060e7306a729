"""Controls of how the server behaves: faults, latency, limits, credentials.

In: the application and a control request.
Out: what is in force now, as JSON; ValueError says what was expected.
Never: the calendars' data.
"""

from __future__ import annotations

import dataclasses

from calendar_sync.fake_google.application import FakeGoogle
from calendar_sync.fake_google.control_data import Routes
from calendar_sync.fake_google.fault_rates import FaultRates
from calendar_sync.fake_google.faults import Fault
from calendar_sync.fake_google.messages import Request, Resource
from calendar_sync.fake_google.quota import QuotaLimits


def _add_fault(app: FakeGoogle, request: Request) -> Resource:
    app.faults.add(Fault(**request.json()))
    return {"faults_pending": app.faults.pending()}


def _clear_faults(app: FakeGoogle, request: Request) -> Resource:
    app.faults.clear()
    return {"faults_pending": 0}


def _fault_rates(app: FakeGoogle, request: Request) -> Resource:
    """The rates replace those before, and the sequence begins anew; empty ones end it."""
    app.faults.set_rates(FaultRates(**request.json()))
    return app.faults.rates.as_json()


def _latency(app: FakeGoogle, request: Request) -> Resource:
    body = request.json()
    milliseconds = float(body["ms"])
    if not 0 <= milliseconds <= 60_000:
        raise ValueError(f"ms {milliseconds:g}: expected 0 to 60000")
    app.faults.set_latency(milliseconds, body.get("operation"))
    return {"ms": milliseconds, "operation": body.get("operation")}


def _quota(app: FakeGoogle, request: Request) -> Resource:
    """Fields that are left out keep their value; the usage so far stays counted."""
    app.quota.limits = QuotaLimits(**{**dataclasses.asdict(app.quota.limits), **request.json()})
    return dataclasses.asdict(app.quota.limits)


def _expire_access_tokens(app: FakeGoogle, request: Request) -> Resource:
    """The issued access tokens of one account (`account`) or of all; those the accounts started with stay."""
    account_id = request.json().get("account")
    account = None if account_id is None else app.store.account(account_id)
    return {"expired": app.grants.expire(account)}


def _token_lifetime(app: FakeGoogle, request: Request) -> Resource:
    """How long access tokens issued from now on live (`seconds`)."""
    seconds = float(request.json()["seconds"])
    if not seconds > 0:
        raise ValueError(f"seconds {seconds:g}: expected more than 0")
    app.grants.lifetime_s = seconds
    return {"seconds": seconds}


def _revoke(app: FakeGoogle, request: Request) -> Resource:
    """Every token of an account stops working: 401 at the API, invalid_grant at the token endpoint."""
    account = app.store.account(request.json()["account"])
    app.grants.revoke(account)
    return {"revoked": account.id}


def _grant(app: FakeGoogle, request: Request) -> Resource:
    """The tokens a revoked account started with work again."""
    account = app.store.account(request.json()["account"])
    app.grants.grant(account)
    return {"granted": account.id}


ROUTES: Routes = {
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "fault-rates"): _fault_rates,
    ("POST", "latency"): _latency,
    ("POST", "quota"): _quota,
    ("POST", "expire-access-tokens"): _expire_access_tokens,
    ("POST", "token-lifetime"): _token_lifetime,
    ("POST", "revoke"): _revoke,
    ("POST", "grant"): _grant,
}
