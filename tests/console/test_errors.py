"""Error pages and rows of the admin lead to the waterfall.

In: requests that fail, as staff, as others, as nobody. Out: assertions on the pages. Never: a query for an error page.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from logging_pkg.console.admin import TraceLinkMixin
from logging_pkg.console.errors import server_error
from logging_pkg.context import active, start_span
from logging_pkg.testing import assert_event, capture_events

_SOME_ID = "01a20a9033127d33ae2beefa1f58c469"


def client_of(**user: bool) -> Client:
    client = Client(raise_request_exception=False)
    if user:
        client.force_login(User.objects.create_user("somebody", **user))
    return client


@pytest.mark.urls("tests.console.urls_failing")
@pytest.mark.parametrize(
    ("user", "leads"), [({"is_staff": True}, True), ({"is_staff": False}, False), ({}, False)], ids=str
)
@pytest.mark.parametrize(("path", "status"), [("/fail/", 500), ("/gone/", 404), ("/no-such-page/", 404)])
def test_an_error_page_tells_the_correlation(
    db: None, path: str, status: int, user: dict[str, bool], leads: bool
) -> None:
    """The ID is that of the request's event; staff are one click from the waterfall, where the user is known already."""
    with capture_events() as events:
        answer = client_of(**user).get(path)
    assert answer.status_code == status
    some_id = str(assert_event(events, "http.request_finished")["correlation_id"])
    text = answer.content.decode()
    assert some_id in text
    # Where no view has looked the user up, an error page does not either.
    is_known = path != "/no-such-page/"
    assert (f'href="/console/trace/{some_id}/"' in text) is (leads and is_known)


def test_an_error_page_asks_the_database_nothing(db: None) -> None:
    """It may be what failed."""
    request = RequestFactory().get("/")
    with CaptureQueriesContext(connection) as queries, active(start_span("request")) as span:
        answer = server_error(request)
    assert len(queries) == 0
    assert answer.status_code == 500
    assert span.correlation_id in answer.content.decode()


def test_the_tags_name_the_request_or_any_id() -> None:
    """As text for others, as a link for staff; escaped."""
    told = Template("{% load log_console %}{% correlation_id %} {% trace_link %}")
    staff, other = (SimpleNamespace(is_staff=value, is_active=True) for value in (True, False))
    with active(start_span("request")) as span:
        assert told.render(Context({"user": other})) == f"{span.correlation_id} {span.correlation_id}"
        link = f'<a href="/console/trace/{span.correlation_id}/">{span.correlation_id}</a>'
        assert told.render(Context({"user": staff})) == f"{span.correlation_id} {link}"
    given = Template("{% load log_console %}{% trace_link some_id %}")
    assert f"/console/trace/{_SOME_ID}/" in given.render(Context({"user": staff, "some_id": _SOME_ID}))
    assert "<b>" not in given.render(Context({"user": other, "some_id": "<b>"}))


@pytest.mark.parametrize("value", [_SOME_ID, f"00-{_SOME_ID}-b7ad6b7169203331-01"])
def test_a_row_of_the_admin_leads_to_its_waterfall(value: str) -> None:
    """By a correlation ID or a traceparent, as the calendars of this site keep it of who asked for a sync."""

    class Admin(TraceLinkMixin):
        trace_id_field = "requested_by"

    column = str(Admin().trace(SimpleNamespace(requested_by=value)))
    assert re.fullmatch(rf'<a href="/console/trace/{_SOME_ID}/">{_SOME_ID[:12]}…</a>', column)
    assert Admin().trace(SimpleNamespace(requested_by="")) == "–"
    assert "<b>" not in str(Admin().trace(SimpleNamespace(requested_by="<b>")))
