"""engagement: each user's first action of a day, and of a kind, is told once, whoever asks."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from calendar_sync.models import UserAction
from calendar_sync.services import engagement
from calendar_sync.services.engagement import record
from logging_pkg.exceptions import InvalidEventError
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.calendar_sync.processes import environment, manage, together

pytestmark = pytest.mark.django_db
EVENT = "user.action_recorded"


@pytest.fixture
def user(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("anna")


def told(events: LogEvents) -> list[tuple[str, int, int]]:
    """Action, whether it was the first of the day, whether the first of its kind."""
    return [(event["action"], event["is_first_of_day"], event["is_first_of_action"]) for event in events.named(EVENT)]


def test_the_first_of_the_day_and_of_each_kind_is_told_once(user, log_events):
    """Every action is an event; only the first ones say so."""
    for action in ("signed_in", "dashboard_viewed", "dashboard_viewed", "signed_in"):
        record(user.pk, action)

    assert told(log_events) == [
        ("signed_in", 1, 1),
        ("dashboard_viewed", 0, 1),
        ("dashboard_viewed", 0, 0),
        ("signed_in", 0, 0),
    ]
    assert {event["user_id"] for event in log_events.named(EVENT)} == {str(user.pk)}


def test_users_are_counted_apart(user, django_user_model, log_events):
    """Each has a first action of the day."""
    other = django_user_model.objects.create_user("ben")
    for pk in (user.pk, other.pk, user.pk):
        record(pk, "signed_in")

    assert told(log_events) == [("signed_in", 1, 1), ("signed_in", 1, 1), ("signed_in", 0, 0)]


def test_a_new_process_knows_what_others_have_told(user, log_events):
    """By the database: what a process remembers only spares it the question."""
    record(user.pk, "signed_in")
    engagement.forget()
    record(user.pk, "signed_in")
    engagement.forget()
    record(user.pk, "dashboard_viewed")

    assert told(log_events) == [("signed_in", 1, 1), ("signed_in", 0, 0), ("dashboard_viewed", 0, 1)]


def test_a_process_that_has_looked_before_another_told_finds_out(user, log_events):
    """It remembers that there was nothing; the row is what decides."""
    record(user.pk, "signed_in")
    remembered = dict(engagement._known)
    UserAction.objects.create(user=user, day=timezone.now().date(), action="dashboard_viewed")
    assert engagement._known == remembered

    record(user.pk, "dashboard_viewed")

    assert told(log_events)[-1] == ("dashboard_viewed", 0, 0)


def test_what_is_known_costs_no_query(user, django_assert_num_queries):
    """The first action of a user costs three, a further one of a new kind one."""
    with django_assert_num_queries(3):
        record(user.pk, "signed_in")
    with django_assert_num_queries(1):
        record(user.pk, "dashboard_viewed")
    with django_assert_num_queries(0):
        record(user.pk, "signed_in")
        record(user.pk, "dashboard_viewed")


def test_a_new_day_begins_at_midnight_utc(user, monkeypatch, log_events):
    """The first action after it is the first of its day and kind again."""
    moments = [
        dt.datetime(2026, 3, 1, 23, 59, 59, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 2, 0, 0, 0, tzinfo=dt.UTC),
        # The same day, told by a clock elsewhere.
        dt.datetime(2026, 3, 2, 20, 0, 0, tzinfo=dt.timezone(dt.timedelta(hours=-3))).astimezone(dt.UTC),
        dt.datetime(2026, 3, 3, 0, 0, 0, tzinfo=dt.UTC),
    ]
    for moment in moments:
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        record(user.pk, "signed_in")

    assert told(log_events) == [("signed_in", 1, 1), ("signed_in", 1, 1), ("signed_in", 0, 0), ("signed_in", 1, 1)]
    assert [str(day) for day in UserAction.objects.filter(action="signed_in").values_list("day", flat=True)] == [
        "2026-03-01",
        "2026-03-02",
        "2026-03-03",
    ]


def test_a_process_does_not_remember_without_end(user, django_user_model, monkeypatch, log_events):
    """When it has too many users in mind it begins anew, and tells nothing twice."""
    monkeypatch.setattr(engagement, "_MAX_KNOWN", 2)
    users = [user, *(django_user_model.objects.create_user(f"u{number}") for number in range(3))]
    for _ in range(2):
        for one in users:
            record(one.pk, "signed_in")

    assert len(engagement._known) <= 2
    assert [first for _, first, _ in told(log_events)] == [1, 1, 1, 1, 0, 0, 0, 0]


def test_an_action_that_is_not_listed_is_a_mistake_in_strict_mode(user, log_events):
    """The error names it and those that are listed."""
    with pytest.raises(InvalidEventError, match=r'"clicked" is not in USER_ACTIONS \(listed: signed_in, dashboard_v'):
        record(user.pk, "clicked")
    assert told(log_events) == []
    assert not UserAction.objects.exists()


def test_in_production_it_is_another_action(user):
    """Counted as `other`, whatever it is, so that the number of names stays bounded, in the database too."""
    with capture_events(strict=False) as events:
        for action in ("clicked", "clicked", "tapped", "x" * 500):
            record(user.pk, action)

    assert told(events) == [("other", 1, 1), ("other", 0, 0), ("other", 0, 0), ("other", 0, 0)]
    assert set(UserAction.objects.values_list("action", flat=True)) == {"", "other"}


def test_with_a_key_file_the_user_is_a_hash(user, tmp_path: Path):
    """The primary key is nowhere in the event."""
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    with capture_events(user_id_key_file=key) as events:
        record(user.pk, "signed_in")

    assert len(assert_event(events, EVENT, count=1)["user_id"]) == 32


def test_the_pages_record_what_is_done_on_them(client: Client, account, google, log_events):
    """Signing in, looking, asking for a sync, switching a calendar: one event each, of its user."""
    account.user.set_password("correct horse")
    account.user.save()
    client.post("/login/", {"username": "anna", "password": "correct horse"})
    client.get("/dashboard/")
    client.post(f"/accounts/{account.pk}/sync")
    client.get(f"/accounts/{account.pk}/")
    client.post(f"/calendars/{account.calendars.first().pk}/toggle", {"enabled": "0"})
    client.post(f"/accounts/{account.pk}/toggle", {"enabled": "1"})

    assert told(log_events) == [
        ("signed_in", 1, 1),
        ("dashboard_viewed", 0, 1),
        ("sync_requested", 0, 1),
        ("account_viewed", 0, 1),
        ("calendar_toggled", 0, 1),
        ("calendar_toggled", 0, 0),
    ]
    assert {event["user_id"] for event in log_events.named(EVENT)} == {str(account.user.pk)}


def test_what_was_refused_is_not_recorded(client: Client, account, other_account, log_events):
    """Nobody's page, a wrong password, a value that cannot be read."""
    client.post("/login/", {"username": "anna", "password": "wrong"})
    client.force_login(account.user)
    log_events.clear()
    client.get(f"/accounts/{other_account.pk}/")
    client.post(f"/accounts/{other_account.pk}/sync")
    client.post(f"/accounts/{account.pk}/toggle", {"enabled": "maybe"})

    assert told(log_events) == []


RECORD = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from django.db import connection
from calendar_sync.services import engagement
seen = []
engagement.record_action = lambda action, user, *, is_first_of_day, is_first_of_action: seen.append(
    (action, user, int(is_first_of_day), int(is_first_of_action)))
gate = Barrier(2)
def act(_):
    gate.wait()
    for user in range(1, 21):
        engagement.record(user, "signed_in")
        engagement.record(user, "dashboard_viewed")
    connection.close()
with ThreadPoolExecutor(2) as pool:
    list(pool.map(act, range(2)))
for row in seen:
    print(*row)
"""
USERS = """
from django.contrib.auth.models import User
User.objects.bulk_create(User(pk=number, username=f"u{number}") for number in range(1, 21))
"""


def test_each_first_is_told_once_by_all_processes_and_threads_together(shared_database):
    """Eight threads in four processes, twenty users at once: a day and two kinds each, none twice, none missed."""
    manage(environment(shared_database), "migrate", "-v0")
    together(shared_database, USERS, 1)

    rows = [line.split() for output in together(shared_database, RECORD, 4) for line in output.splitlines()]

    assert len(rows) == 8 * 20 * 2
    days = Counter(user for _, user, first_of_day, _ in rows if first_of_day == "1")
    kinds = Counter((user, action) for action, user, _, first_of_action in rows if first_of_action == "1")
    assert days == {str(user): 1 for user in range(1, 21)}
    assert kinds == {(str(user), action): 1 for user in range(1, 21) for action in ("signed_in", "dashboard_viewed")}
