"""The admin's lists after real syncs: each row leads to its trace, shows nothing private, and costs no query.

In: accounts and calendars synced from the fake Google. Out: assertions on pages and queries. Never: a row made up, but
for how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from calendar_sync.admin import site
from calendar_sync.fake_google import ControlClient
from calendar_sync.models import Calendar, Event, GoogleAccount
from calendar_sync.sync import sync_account
from logging_pkg import new_correlation
from logging_pkg.testing import LogEvents

LISTS = ["/admin/calendar_sync/googleaccount/", "/admin/calendar_sync/calendar/"]


@pytest.fixture
def operator(db: None) -> Client:
    """The demonstration's: staff without any permission of its own, signed in on the site's own page."""
    User.objects.create_user("operator", password="demo-password", is_staff=True)
    client = Client()
    answer = client.post("/login/?next=/admin/", {"username": "operator", "password": "demo-password"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    return client


def traces(client: Client, address: str) -> list[str]:
    """The IDs that the rows of a list lead to."""
    answer = client.get(address)
    assert answer.status_code == 200
    return re.findall(r'<td class="field-trace"><a href="/console/trace/([0-9a-f]{32})/">', answer.content.decode())


def test_each_row_leads_to_the_trace_of_its_newest_sync(
    operator: Client, account: GoogleAccount, google: object, log_events: LogEvents
) -> None:
    """Of one that ended well, and of one that failed: the correlation of its events."""
    with new_correlation():
        sync_account(account, "command")
    (first,) = {run["correlation_id"] for run in log_events.named("sync.run_finished")}
    assert traces(operator, LISTS[0]) == [first]
    assert traces(operator, LISTS[1]) == [first] * 5
    log_events.clear()
    account.refresh_from_db()
    account.access_token = "wrong"
    account.save()
    with new_correlation():
        assert sync_account(account, "command").failed
    (second,) = {run["correlation_id"] for run in log_events.named("sync.run_finished")}
    assert traces(operator, LISTS[0]) == [second] != [first]
    assert traces(operator, LISTS[1]) == [first] * 5, "none of their syncs was begun"


def test_nothing_private_is_shown(
    operator: Client, account: GoogleAccount, google: object, control: ControlClient
) -> None:
    """No address, token, title or word of Google's beside an error, on no page of the admin; and nothing is asked for."""
    sync_account(account, "command")
    GoogleAccount.objects.update(last_error="Forbidden: the calendar Therapy is not yours", failures_in_a_row=1)
    private = {account.email, account.access_token, account.google_id, "Therapy"}
    private |= set(Calendar.objects.values_list("summary", flat=True))
    private |= set(Event.objects.exclude(summary="").values_list("summary", flat=True)[:50])
    for address in ["/admin/", "/admin/calendar_sync/", *LISTS]:
        with CaptureQueriesContext(connection) as asked:
            text = operator.get(address).content.decode()
        assert [word for word in private if word in text] == []
        columns = " ".join(query["sql"].partition(" FROM ")[0] for query in asked if "calendar_sync" in query["sql"])
        assert re.findall(r'"(?:email|access_token|refresh_token|summary|password)"', columns) == []
    assert ">Forbidden<" in operator.get(LISTS[0]).content.decode()


@pytest.mark.parametrize("address", LISTS)
def test_a_row_costs_no_query(
    operator: Client,
    account: GoogleAccount,
    google: object,
    make_account: Callable[[int], GoogleAccount],
    log_events: LogEvents,
    address: str,
) -> None:
    """As many for one account as for two with ten calendars and more; the log finds no N+1 of ours either."""
    sync_account(account, "command")
    Calendar.objects.exclude(pk=Calendar.objects.values("pk").first()["pk"]).delete()
    with CaptureQueriesContext(connection) as few:
        assert len(traces(operator, address)) == 1
    sync_account(account, "command")
    other = make_account(1)
    sync_account(other, "command")
    log_events.clear()
    with CaptureQueriesContext(connection) as many:
        assert len(traces(operator, address)) >= 2
    assert len(many) == len(few)
    assert log_events.named("db.n_plus_one_detected") == []


def test_it_is_for_staff_and_for_looking(operator: Client, account: GoogleAccount, google: object) -> None:
    """Others are asked to sign in; there is no page of a row, and none to add, change or delete one."""
    sync_account(account, "command")
    User.objects.create_user("somebody", password="demo-password")
    others = Client()
    others.login(username="somebody", password="demo-password")
    for address in ["/admin/", *LISTS]:
        for client in (Client(), others):
            answer = client.get(address)
            assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={address}")
        shown = operator.get(address)
        assert shown.status_code == 200
        assert "calendar_sync/icon.svg" in shown.content.decode()
    for address in LISTS:
        for path in ("add/", f"{account.pk}/", f"{account.pk}/change/", f"{account.pk}/delete/"):
            assert operator.get(address + path).status_code == 404
        refused = operator.post(address, {"action": "delete_selected", "_selected_action": account.pk})
        assert refused.status_code in (200, 302, 403)
    assert GoogleAccount.objects.count() == 1
    assert sorted(model.__name__ for model in site._registry) == ["Calendar", "GoogleAccount"]
