"""The reports that are bad on purpose: what monitoring says about each."""

from __future__ import annotations

import sys

import pytest
from django.test import Client
from django.urls import clear_url_caches

from calendar_sync.sync import sync_account
from calendar_sync.views import reports
from logging_pkg.testing import assert_event

pytestmark = pytest.mark.django_db


def load_urls() -> None:
    sys.modules.pop("calendar_sync.urls", None)
    clear_url_caches()


@pytest.fixture
def browser(client: Client, google, account, settings):
    """Signed in, synced, and with the reports switched on."""
    settings.DEMO_PAGES = True
    load_urls()
    sync_account(account, "command")
    client.force_login(account.user)
    client.raise_request_exception = False
    yield client
    load_urls()


def test_the_slow_report_is_seen_as_slow(browser, monkeypatch, log_events):
    """It really takes its time, and http.slow_request_detected says so."""
    page = browser.get("/reports/slow/")

    assert "Events per year" in page.text
    assert "2025" in page.text
    assert_event(log_events, "http.slow_request_detected", route="/reports/slow/")


def test_the_n_plus_one_report_is_seen_as_such(browser, log_events):
    """Fifty queries of the same SQL, found with their number and the line that runs them."""
    page = browser.get("/reports/n-plus-one/")

    assert page.text.count("Holidays in") == reports.N_PLUS_ONE_ROWS
    request = assert_event(log_events, "http.request_finished", route="/reports/n-plus-one/")
    assert request["query_count"] == reports.N_PLUS_ONE_ROWS + 3
    finding = assert_event(log_events, "db.n_plus_one_detected", count=1)
    assert "views/reports.py" in str(finding)


def test_the_failing_report_is_an_error(browser, log_events):
    """500 with the site's page; the event names the exception's class."""
    answer = browser.get("/reports/error/")

    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    request = assert_event(log_events, "http.request_finished", route="/reports/error/", status_code=500)
    assert request["error_type"] == "calendar_sync.views.reports.ReportFailed"


def test_the_reports_page_links_to_each(browser):
    """And the site's navigation links to it."""
    page = browser.get("/reports/").text
    for name in ("slow", "n-plus-one", "error"):
        assert f'href="/reports/{name}/"' in page
    assert 'href="/reports/"' in browser.get("/dashboard/").text


@pytest.mark.parametrize("name", ["", "slow/", "n-plus-one/", "error/"])
def test_reports_need_a_sign_in(browser, name):
    """As every page does."""
    assert Client().get(f"/reports/{name}")["Location"].startswith("/login/")


def test_without_the_setting_there_are_no_reports(client, account, settings):
    """DEMO_PAGES off: 404, and no link."""
    settings.DEMO_PAGES = False
    load_urls()
    client.force_login(account.user)

    assert client.get("/reports/slow/").status_code == 404
    assert "/reports/" not in client.get("/dashboard/").text
