"""The reports that are bad on purpose: what monitoring says about each."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import clear_url_caches

from calendar_sync.sync import sync_account
from calendar_sync.views import reports
from logging_pkg import conf
from logging_pkg.instrumentation.request.watchdog import report_late_work
from logging_pkg.testing import assert_event

pytestmark = pytest.mark.django_db


def load_urls() -> None:
    sys.modules.pop("calendar_sync.urls", None)
    clear_url_caches()


@pytest.fixture
def configured() -> Iterator[Callable[..., None]]:
    """Change settings of the instrumentation."""
    before = conf.settings()
    yield lambda **changed: conf.configure(replace(before, **changed))
    conf.configure(before)


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


def test_the_overlaps_have_a_slow_query(browser, configured, log_events):
    """One SELECT, slower than what is allowed, with the line that runs it."""
    configured(slow_query_threshold_ms=0.0)
    page = browser.get("/reports/overlaps/")

    assert page.text.count("<tr>") == reports.OVERLAP_ROWS + 1
    slow = [event for event in log_events if event["event"] == "db.slow_query_detected"]
    (overlaps,) = [event for event in slow if "LIMIT" in event["fingerprint"] and "COUNT" in event["fingerprint"]]
    assert "views/reports.py" in overlaps["caller"]


def test_the_stuck_report_is_told_of_while_it_waits(browser, monkeypatch, configured, log_events):
    """With the line it waits at."""
    monkeypatch.setattr(reports, "STUCK_REPORT_S", 1.5)
    configured(stuck_request_threshold_s=0.2)
    assert "waited 1.5 s" in browser.get("/reports/stuck/").text

    told = assert_event(log_events, "http.request_stuck", route="/reports/stuck/")
    assert re.search(r"views/reports\.py:\d+ stuck", str(told["stack"]))


def test_the_late_report_leaves_work_behind(browser, monkeypatch, log_events):
    """One write to the cache, after the response."""
    monkeypatch.setattr(reports, "LATE_REPORT_S", 0.1)
    browser.get("/reports/late/")
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "late report"]
    thread.join()
    report_late_work()

    assert_event(log_events, "http.orphaned_work_detected", route="/reports/late/", cache_operation_count=1)


def test_the_neighbour_is_asked_over_http(browser, live_server, log_events):
    """It is an exchange of its own; a neighbour that is not there is no error of the page."""
    host = live_server.url.removeprefix("http://")
    assert "It answered 200." in browser.get("/reports/neighbour/", headers={"host": host}).text
    assert_event(log_events, "http_client.request_finished", host=host.partition(":")[0], status_code=200)
    assert "It did not answer" in browser.get("/reports/neighbour/", headers={"host": "127.0.0.1:9"}).text


def test_the_rejected_event_is_an_error_in_strict_mode(browser, log_events):
    """Here as in development; the demonstration is not strict."""
    assert browser.get("/reports/rejected/").status_code == 500
    request = assert_event(log_events, "http.request_finished", route="/reports/rejected/")
    assert request["error_type"] == "logging_pkg.exceptions.InvalidEventError"


NAMES = ("slow", "n-plus-one", "error", "overlaps", "stuck", "late", "neighbour", "rejected")


def test_the_reports_page_links_to_each(browser):
    """And the site's navigation links to it."""
    page = browser.get("/reports/").text
    for name in NAMES:
        assert f'href="/reports/{name}/"' in page
    assert 'href="/reports/"' in browser.get("/dashboard/").text


@pytest.mark.parametrize("name", ["", *(f"{name}/" for name in NAMES)])
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
