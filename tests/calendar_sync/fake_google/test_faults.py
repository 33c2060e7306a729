"""Faults of the fake server: queued ones, random ones, dropped connections, latency."""

from __future__ import annotations

import socket

import pytest
import requests
from googleapiclient.errors import HttpError

from calendar_sync.fake_google import demo_accounts
from calendar_sync.fake_google.faults import KINDS
from tests.calendar_sync.fake_google.conftest import reason_of

CALENDAR_LIST = ("users", "me", "calendarList")


def reason(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("kind", "options", "expected", "units"),
    [
        ("rateLimitExceeded", {}, (403, "rateLimitExceeded"), 0),
        ("userRateLimitExceeded", {}, (403, "userRateLimitExceeded"), 0),
        ("quotaExceeded", {}, (403, "quotaExceeded"), 0),
        ("tooManyRequests", {}, (429, "rateLimitExceeded"), 0),
        ("authError", {}, (401, "authError"), 0),
        ("serverError", {}, (503, "backendError"), 1),
        ("serverError", {"status": 500}, (500, "backendError"), 1),
        ("notFound", {}, (404, "notFound"), 1),
    ],
)
def test_a_fault_meets_as_many_requests_as_it_was_queued_for(api, control, kind, options, expected, units):
    """Two faulty answers with Google's body and Retry-After, then the API works; only refusals use no quota."""
    control.fail(kind, count=2, retry_after_s=3, **options)

    answers = [api("GET", *CALENDAR_LIST) for _ in range(3)]

    assert [reason(answer) for answer in answers[:2]] == [expected] * 2
    assert answers[0].headers["Retry-After"] == "3"
    assert answers[2].status_code == 200
    assert control.state()["faults_pending"] == 0
    assert [entry["quota_units"] for entry in control.ledger()] == [units, units, 1]


@pytest.mark.parametrize(
    ("kind", "parameter", "expected"),
    [
        ("fullSyncRequired", "syncToken", (410, "fullSyncRequired")),
        ("updatedMinTooLongAgo", "updatedMin", (410, "updatedMinTooLongAgo")),
    ],
)
def test_a_410_waits_for_the_parameter_it_is_about(api, control, calendar_ids, kind, parameter, expected):
    """A listing without the parameter passes by; the one with it is told that it reaches back too far."""
    events = ("calendars", calendar_ids[0], "events")
    token = api("GET", *events).json()["nextSyncToken"]
    value = token if parameter == "syncToken" else "2026-01-01T00:00:00Z"
    control.fail(kind)

    assert api("GET", *events).status_code == 200
    answer = api("GET", *events, **{parameter: value})

    assert reason(answer) == expected
    assert answer.json()["error"]["errors"][0]["location"] == parameter
    assert api("GET", *events, **{parameter: value}).status_code == 200


def test_a_failed_precondition_waits_for_if_match(service, control, calendar_ids):
    """A write with If-Match meets it although the etag is right, and nothing is changed; a write without passes by."""
    event = service.events().list(calendarId=calendar_ids[0]).execute()["items"][0]
    patch = {"calendarId": calendar_ids[0], "eventId": event["id"], "body": {"summary": "x"}}
    control.fail("preconditionFailed")
    service.events().patch(**{**patch, "body": {"summary": "first"}}).execute()
    request = service.events().patch(**patch)
    request.headers["If-Match"] = "*"

    with pytest.raises(HttpError) as failure:
        request.execute()

    assert reason_of(failure.value) == (412, "conditionNotMet")
    assert service.events().get(calendarId=calendar_ids[0], eventId=event["id"]).execute()["summary"] == "first"


def test_a_fault_waits_for_the_operation_and_account_it_names(api, control, calendar_ids):
    """Other operations and other accounts pass by."""
    control.fail("serverError", operation="events.list")
    control.fail("serverError", account=demo_accounts(2)[1].id)

    assert api("GET", *CALENDAR_LIST).status_code == 200
    assert api("GET", "calendars", calendar_ids[0], "events").status_code == 503
    assert control.state()["faults_pending"] == 1
    control.clear_faults()
    assert control.state()["faults_pending"] == 0


@pytest.mark.parametrize(("kind", "inserted"), [("drop", False), ("drop_after", True)])
def test_a_dropped_connection_answers_nothing(api, control, calendar_ids, kind, inserted):
    """Drop does nothing first; drop_after does the work and loses the answer; the server had read both: both count."""
    control.fail(kind)
    body = {"id": "abcde", "summary": "x", "start": {"date": "2026-01-01"}, "end": {"date": "2026-01-02"}}

    with pytest.raises(requests.ConnectionError):
        api("POST", "calendars", calendar_ids[0], "events", json=body)

    assert ("abcde" in {event["id"] for event in control.events(calendar_ids[0])}) == inserted
    entry = control.ledger()[-1]
    assert (entry["status"], entry["reason"], entry["quota_units"]) == (None, None, 1)


def test_an_answer_is_lost_also_when_it_is_an_error(api, control):
    """drop_after loses a 404 like any other answer."""
    control.fail("drop_after")

    with pytest.raises(requests.ConnectionError):
        api("GET", "calendars", "none", "events")

    assert control.ledger()[-1]["reason"] is None


@pytest.mark.parametrize("kind", ["drop", "drop_after", "serverError"])
def test_the_usage_limits_come_before_a_failure(api, control, kind):
    """What is over the limit is refused as such and uses nothing, whatever else would have gone wrong."""
    control.set_quota(per_user_per_minute=0)
    control.fail(kind)

    assert reason(api("GET", *CALENDAR_LIST)) == (403, "userRateLimitExceeded")
    assert control.ledger()[-1]["quota_units"] == 0


def read_answer(connection: socket.socket) -> bytes:
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head


def test_a_stale_connection_closes_unannounced(fake, control):
    """The answer is whole and says nothing of closing; then the connection is at its end."""
    control.fail("stale")
    request = f"GET /calendar/v3/users/me/calendarList HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {demo_accounts(1)[0].token}\r\n\r\n"

    with socket.create_connection((fake.host, fake.port), timeout=10) as connection:
        connection.sendall(request.encode())
        head = read_answer(connection)
        assert head.startswith(b"HTTP/1.1 200")
        assert b"connection:" not in head.lower()
        assert connection.recv(1) == b""

    entry = control.ledger()[-1]
    assert (entry["status"], entry["quota_units"]) == (200, 1)


def test_the_client_gets_over_a_stale_connection(service, control):
    """httplib2 sends the next request again by itself: the server saw each of the two once."""
    control.fail("stale")

    for _ in range(2):
        assert service.calendarList().list().execute()["items"]

    assert [entry["status"] for entry in control.ledger()] == [200, 200]


def test_the_client_sends_twice_what_is_dropped_on_a_kept_connection(service, control, calendar_ids):
    """One call, two requests at the server: with the client's own ID the second insert is told apart (409)."""
    body = {"id": "abcde", "summary": "x", "start": {"date": "2026-01-01"}, "end": {"date": "2026-01-02"}}
    service.calendarList().list().execute()
    control.fail("drop_after")

    with pytest.raises(HttpError) as failure:
        service.events().insert(calendarId=calendar_ids[0], body=body).execute()

    assert reason_of(failure.value) == (409, "duplicate")
    assert [(entry["operation"], entry["status"]) for entry in control.ledger()[1:]] == [
        ("events.insert", None),
        ("events.insert", 409),
    ]


def outcomes(api, control, count: int) -> list[int | None]:
    last = control.ledger()[-1]["number"] if control.ledger() else 0
    for _ in range(count):
        try:
            api("GET", *CALENDAR_LIST)
        except requests.ConnectionError:
            continue
    return [entry["status"] for entry in control.ledger(since=last)]


RATES = {"serverError": 0.2, "drop": 0.1, "tooManyRequests": 0.1, "authError": 0.1}


def test_random_faults_are_the_same_for_the_same_seed(api, control):
    """The sequence depends on the seed and on nothing else: not on the order of the rates, nor on queued faults."""
    control.set_fault_rates(RATES, seed=7, status=502)
    first = outcomes(api, control, 60)
    control.set_fault_rates(dict(reversed(RATES.items())), seed=7, status=502)
    control.fail("notFound")
    again = outcomes(api, control, 60)
    control.set_fault_rates(RATES, seed=8, status=502)
    other = outcomes(api, control, 60)

    assert set(first) == {200, 401, 429, 502, None}
    assert again == [404, *first[1:]]
    assert other != first


def test_random_faults_come_as_often_as_their_rate_says(api, control):
    """Nothing at rate 0, everything at rate 1, about a fifth at 0.2; empty rates end it."""
    control.set_fault_rates({"serverError": 0.2, "drop": 0}, seed=1, retry_after_s=2)
    statuses = outcomes(api, control, 200)
    control.set_fault_rates({"serverError": 1})

    assert 20 < statuses.count(503) < 60
    assert statuses.count(None) == 0
    assert outcomes(api, control, 5) == [503] * 5
    control.set_fault_rates({})
    assert outcomes(api, control, 5) == [200] * 5


def test_the_state_shows_the_rates_and_clearing_forgets_them(control):
    """What a long run was told to meet can be read back."""
    control.set_fault_rates({"stale": 0.5}, seed=3, retry_after_s=1)

    assert control.state()["fault_rates"] == {"rates": {"stale": 0.5}, "seed": 3, "status": 503, "retry_after_s": 1}
    control.clear_faults()
    assert control.state()["fault_rates"]["rates"] == {}


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"explosion": 0.1}, "expected one of " + ", ".join(KINDS)),
        ({"drop": 1.5}, "fault rate of drop: 1.5: expected 0 to 1"),
        ({"drop": 0.6, "stale": 0.6}, "their sum is 1.2; expected at most 1"),
    ],
)
def test_rates_that_make_no_sense_are_refused(control, rates, message):
    """An unknown kind, no probability, or more than all requests."""
    with pytest.raises(ValueError, match=message):
        control.set_fault_rates(rates)


def test_latency_is_waited_per_operation(api, control):
    """A request takes at least the latency set for its operation."""
    control.set_latency(30, "calendarList.list")

    api("GET", *CALENDAR_LIST)

    assert control.ledger()[-1]["duration_ms"] >= 30
