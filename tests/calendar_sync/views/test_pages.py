"""Dashboard and account pages, and what HTMX gets from them."""

from __future__ import annotations

import re

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from calendar_sync.models import Calendar, Event
from calendar_sync.sync import sync_account
from calendar_sync.sync.lease import Lease
from logging_pkg.testing import assert_event, assert_no_event
from tests.calendar_sync.conftest import already_active

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(client: Client, account) -> Client:
    """Signed in as the first account's user, who has done everything once today."""
    client.force_login(account.user)
    already_active(account.user)
    return client


@pytest.fixture
def synced(google, account):
    """The first account, synced."""
    sync_account(account, "command")
    return account


def test_signing_in_and_out(client, account):
    """A wrong password says so; the right one leads to the page that was asked for; signing out needs a POST."""
    account.user.set_password("correct horse")
    account.user.save()

    answer = client.get("/dashboard/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/dashboard/")
    answer = client.post("/login/", {"username": "anna", "password": "wrong"})
    assert "correct username and password" in answer.text
    answer = client.post(
        "/login/?next=/dashboard/", {"username": "anna", "password": "correct horse", "next": "/dashboard/"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/dashboard/")
    assert client.get("/logout/").status_code == 405
    client.post("/logout/")
    assert client.get("/dashboard/").status_code == 302


def test_the_root_leads_to_the_dashboard(client):
    """No page is at the root."""
    assert client.get("/")["Location"] == "/dashboard/"


def test_a_user_without_accounts_is_told_so(client, django_user_model):
    """An empty dashboard is a page, too."""
    client.force_login(django_user_model.objects.create_user("new"))
    assert "No account yet" in client.get("/dashboard/").text


def test_the_dashboard_shows_accounts_calendars_and_next_events(browser, synced, log_events):
    """In five queries: session, user, and the service's three; its canonical event says the same."""
    page = browser.get("/dashboard/").text

    assert "anna@example.com" in page
    assert "Holidays in Germany" in page
    assert "5 of 5 calendars on" in page
    assert "synced just now" in page
    request = assert_event(log_events, "http.request_finished", route="/dashboard/", status_code=200)
    assert request["query_count"] == 5
    assert_no_event(log_events, "db.n_plus_one_detected")


def test_the_account_page_shows_one_account(browser, synced, django_assert_num_queries: DjangoAssertNumQueries):
    """Its calendars and their next events, in five queries."""
    with django_assert_num_queries(5):
        page = browser.get(f"/accounts/{synced.pk}/").text

    assert page.count('class="calendar"') == 5
    assert "Coming up" in page


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/accounts/{account}/"),
        ("post", "/accounts/{account}/sync"),
        ("post", "/accounts/{account}/toggle"),
        ("post", "/calendars/{calendar}/toggle"),
    ],
)
def test_what_belongs_to_others_is_404(browser, other_account, method, path):
    """Also with HTMX, and nothing is changed or called."""
    calendar = Calendar.objects.create(account=other_account, google_id="c", etag="1", summary="Secret")
    address = path.format(account=other_account.pk, calendar=calendar.pk)

    answer = getattr(browser, method)(address, {"enabled": "0"}, headers=HTMX)

    assert answer.status_code == 404
    assert "Secret" not in answer.text
    assert Calendar.objects.get().enabled


@pytest.mark.parametrize("path", ["/dashboard/", "/accounts/1/"])
def test_pages_need_a_sign_in(client, path):
    """Without one they lead to the login page."""
    assert client.get(path)["Location"] == f"/login/?next={path}"


@pytest.mark.parametrize("path", ["/accounts/1/sync", "/accounts/1/toggle", "/calendars/1/toggle"])
def test_actions_need_a_post_a_sign_in_and_a_csrf_token(account, path):
    """GET is 405, an anonymous POST leads to the login, a POST without token is 403."""
    strict = Client(enforce_csrf_checks=True)
    assert Client().get(path).status_code == 405
    assert Client().post(path)["Location"].startswith("/login/")
    strict.force_login(account.user)
    assert strict.post(path).status_code == 403


def test_forms_carry_what_the_csrf_check_wants(account, synced):
    """The token in a rendered form is accepted."""
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(account.user)
    page = strict.get("/dashboard/").text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    calendar = synced.calendars.first()

    answer = strict.post(
        f"/calendars/{calendar.pk}/toggle", {"enabled": "0", "csrfmiddlewaretoken": token}, headers=HTMX
    )

    assert answer.status_code == 200
    assert not Calendar.objects.get(pk=calendar.pk).enabled


def test_a_toggle_answers_htmx_with_the_row_and_the_count(
    browser, synced, django_assert_num_queries: DjangoAssertNumQueries
):
    """No whole page: the row to swap in, the count out of band, and a trigger for the list of events; five queries."""
    calendar = synced.calendars.first()

    with django_assert_num_queries(5):
        answer = browser.post(f"/calendars/{calendar.pk}/toggle", {"enabled": "0"}, headers=HTMX)

    assert "<html" not in answer.text
    assert f'id="calendar-{calendar.pk}"' in answer.text
    assert 'aria-checked="false"' in answer.text
    assert 'hx-swap-oob="true">4 of 5 calendars on' in answer.text
    assert answer["HX-Trigger-After-Swap"] == "events-changed"


def test_a_toggle_without_htmx_leads_to_the_account(browser, synced):
    """The same form works without JavaScript."""
    calendar = synced.calendars.first()

    answer = browser.post(f"/calendars/{calendar.pk}/toggle", {"enabled": "0"})

    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/{synced.pk}/")


def test_all_calendars_are_toggled_at_once(browser, synced, django_assert_num_queries: DjangoAssertNumQueries):
    """One panel back, in five queries; without HTMX a redirect."""
    address = f"/accounts/{synced.pk}/toggle"

    with django_assert_num_queries(5):
        answer = browser.post(address, {"enabled": "0"}, headers=HTMX)

    assert "0 of 5 calendars on" in answer.text
    assert answer.text.count('aria-checked="false"') == 5
    assert not synced.calendars.filter(enabled=True).exists()
    assert browser.post(address, {"enabled": "1"})["Location"] == f"/accounts/{synced.pk}/"
    assert not synced.calendars.filter(enabled=False).exists()


@pytest.mark.parametrize("value", [None, "", "2", "true", "１"])
@pytest.mark.parametrize("kind", ["accounts", "calendars"])
def test_a_toggle_wants_1_or_0(browser, synced, kind, value):
    """Anything else is 400 and changes nothing."""
    pk = synced.pk if kind == "accounts" else synced.calendars.first().pk

    answer = browser.post(f"/{kind}/{pk}/toggle", {} if value is None else {"enabled": value}, headers=HTMX)

    assert (answer.status_code, answer.text) == (400, "enabled: expected 1 or 0")
    assert synced.calendars.filter(enabled=True).count() == 5


def test_a_sync_answers_htmx_with_the_panel_and_its_result(browser, account, google, log_events):
    """Request, sync runs and API calls share the correlation the response names; the runs name the request."""
    answer = browser.post(f"/accounts/{account.pk}/sync", headers=HTMX)

    count = Event.objects.count()
    assert f"Synced: {count} new, 0 changed, 0 deleted, 0 as before." in answer.text
    assert 'class="badge ok"' in answer.text
    assert answer["HX-Trigger-After-Swap"] == "events-changed"
    request = assert_event(log_events, "http.request_finished", route="/accounts/{id}/sync", status_code=200)
    runs, calls = log_events.named("sync.run_finished"), log_events.named("google_api.call_finished")
    assert {event["correlation_id"] for event in [request, *runs, *calls]} == {answer["X-Correlation-ID"]}
    assert {event["request_id"] for event in [*runs, *calls]} == {request["span_id"]}
    assert {run["trigger"] for run in runs} == {"page"}
    assert "everything is up to date" in browser.post(f"/accounts/{account.pk}/sync", headers=HTMX).text


def test_a_failed_sync_says_why(browser, synced, control):
    """The panel shows the failure instead of a success, and so does the page afterwards."""
    control.fail("quotaExceeded", count=2, operation="events.list")

    answer = browser.post(f"/accounts/{synced.pk}/sync", headers=HTMX)

    assert "Sync failed for Holidays in" in answer.text
    assert "(and 1 more)" in answer.text
    assert 'class="badge failed"' in answer.text
    assert "quotaExceeded" in browser.get("/dashboard/").text


def test_a_sync_without_htmx_leads_to_the_account_with_a_message(browser, synced):
    """The result is shown on the next page."""
    page = browser.post(f"/accounts/{synced.pk}/sync", follow=True)

    assert page.redirect_chain == [(f"/accounts/{synced.pk}/", 302)]
    assert "Synced: everything is up to date." in page.text


def test_a_sync_while_another_runs_says_so(browser, synced):
    """Nothing is synced twice at once."""
    Lease(synced)

    assert "Another sync of this account is running" in browser.post(f"/accounts/{synced.pk}/sync", headers=HTMX).text


def test_text_from_google_is_escaped(browser, account):
    """A calendar's name is text, whatever is in it."""
    Calendar.objects.create(account=account, google_id="c", etag="1", summary="<script>alert(1)</script>")

    page = browser.get("/dashboard/").text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_pages_use_the_vendored_htmx(browser):
    """It is served by the application itself."""
    page = browser.get("/dashboard/").text
    (address,) = re.findall(r'src="(/static/[^"]+htmx[^"]+)"', page)

    answer = browser.get(address)

    assert answer.status_code == 200
    assert b"htmx" in b"".join(answer)


def test_unknown_addresses_have_a_page(client):
    """404 with the site's own page."""
    answer = client.get("/nowhere/")
    assert (answer.status_code, "Not found" in answer.text) == (404, True)


def test_health_is_one_query_without_a_session(client, django_assert_num_queries: DjangoAssertNumQueries):
    """For load balancers: ok, never cached."""
    with django_assert_num_queries(1):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]
    assert client.post("/healthz").status_code == 405


def test_health_is_503_without_a_database(client, settings):
    """A database that does not answer is told by the kind of its error."""

    def refuse(execute, sql, params, many, context):
        raise OperationalError("server closed the connection")

    with connection.execute_wrapper(refuse):
        answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "database": "OperationalError"})
