"""Batch requests to the fake server, as the real client sends them and by hand."""

from __future__ import annotations

import contextlib
from typing import Any

import httplib2
import pytest
import requests
from google.oauth2.credentials import Credentials
from googleapiclient.errors import BatchError, HttpError

from calendar_sync.fake_google import demo_accounts
from tests.calendar_sync.fake_google.conftest import reason_of, service_for

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Answers:
    """What each request of a batch came to, by its ID, in the order of the answers."""

    def __init__(self) -> None:
        self.by_id: dict[str, Any] = {}

    def __call__(self, request_id: str, response: Any, error: HttpError | None) -> None:
        self.by_id[request_id] = response if error is None else reason_of(error)


def execute(service: Any, *calls: Any) -> dict[str, Any]:
    answers = Answers()
    batch = service.new_batch_http_request(callback=answers)
    for call in calls:
        batch.add(call)
    batch.execute()
    return answers.by_id


def body(event_id: str, summary: str = "x") -> dict[str, Any]:
    return {"id": event_id, "summary": summary, "start": {"date": "2026-01-01"}, "end": {"date": "2026-01-02"}}


def test_each_request_of_a_batch_is_answered_on_its_own(service, control, calendar_ids):
    """Writes, a listing, an error and an empty answer come back under their own IDs; the ledger has one entry."""
    events = service.events()
    events.insert(calendarId=calendar_ids[0], body=body("there")).execute()
    control.clear_ledger()

    answers = execute(
        service,
        events.insert(calendarId=calendar_ids[0], body=body("abcde", "Ünïcödé")),
        events.get(calendarId=calendar_ids[0], eventId="nothere"),
        events.list(calendarId=calendar_ids[1], maxResults=3),
        events.delete(calendarId=calendar_ids[0], eventId="there"),
        events.patch(calendarId=calendar_ids[0], eventId="abcde", body={"summary": "second"}),
    )

    assert list(answers) == ["1", "2", "3", "4", "5"]
    assert answers["1"]["summary"] == "Ünïcödé"
    assert answers["2"] == (404, "notFound")
    assert len(answers["3"]["items"]) == 3
    assert answers["4"] == ""
    assert answers["5"]["summary"] == "second"
    (entry,) = control.ledger()
    assert {key: entry[key] for key in ("operation", "status", "part_count", "quota_units", "account")} == {
        "operation": "batch",
        "status": 200,
        "part_count": 5,
        "quota_units": 5,
        "account": demo_accounts(1)[0].id,
    }


def test_a_batch_of_n_counts_as_n(service, control, calendar_ids):
    """The requests that no longer fit are refused one by one and use nothing."""
    control.set_quota(per_user_per_minute=3)

    answers = execute(service, *(service.events().list(calendarId=calendar_ids[0], maxResults=1) for _ in range(5)))

    assert [answer if isinstance(answer, tuple) else 200 for answer in answers.values()] == [
        200,
        200,
        200,
        (403, "userRateLimitExceeded"),
        (403, "userRateLimitExceeded"),
    ]
    assert [(entry["part_count"], entry["quota_units"]) for entry in control.ledger()] == [(5, 3)]


def test_a_requests_own_authorization_wins(make_service, control, calendar_ids):
    """Two accounts in one batch: each request is made for its own; the entry then speaks for no single account."""
    anna, ben = make_service(0), make_service(1)

    answers = execute(
        anna,
        anna.calendarList().list(),
        ben.calendarList().list(),
        ben.events().list(calendarId=calendar_ids[0]),
    )

    assert {item["id"].split(".")[0] for item in answers["1"]["items"]} == {"anna"}
    assert {item["id"].split(".")[0] for item in answers["2"]["items"]} == {"ben"}
    assert answers["3"] == (404, "notFound")
    assert control.ledger()[-1]["account"] is None


@pytest.mark.parametrize(("count", "status"), [(50, 200), (51, 400)])
def test_a_batch_has_a_largest_size(service, control, count, status):
    """50 requests are answered, 51 are refused as a whole and use nothing."""
    calls = [service.calendarList().list(maxResults=1) for _ in range(count)]

    if status == 200:
        assert len(execute(service, *calls)) == count
    else:
        with pytest.raises(HttpError, match="at most 50 are allowed"):
            execute(service, *calls)
    entry = control.ledger()[-1]
    assert (entry["status"], entry["part_count"], entry["quota_units"]) == (
        status,
        count,
        count if status == 200 else 0,
    )


def test_the_largest_size_can_be_set(service, control):
    """As Google's guide has named other numbers, too."""
    control.set_quota(parts_per_batch=None)

    assert len(execute(service, *(service.calendarList().list(maxResults=1) for _ in range(60)))) == 60


def test_faults_meet_single_requests_of_a_batch(service, control, calendar_ids):
    """An error is one request's, by its operation; what is about the connection waits for the batch."""
    events = service.events()
    control.fail("conflict", operation="events.patch")
    control.fail("serverError", operation="events.insert", status=599)
    control.fail("userRateLimitExceeded", operation="calendarList.list")

    answers = execute(
        service,
        events.insert(calendarId=calendar_ids[0], body=body("abcde")),
        events.insert(calendarId=calendar_ids[0], body=body("abcdf")),
        events.patch(calendarId=calendar_ids[0], eventId="abcdf", body={"summary": "y"}),
        service.calendarList().list(),
    )

    assert answers["1"] == (599, "backendError")
    assert answers["2"]["id"] == "abcdf"
    assert answers["3"] == (409, "conflict")
    assert answers["4"] == (403, "userRateLimitExceeded")
    assert control.ledger()[-1]["quota_units"] == 3


@pytest.mark.parametrize(
    ("kind", "inserted", "units"),
    [("drop", False, 2), ("drop_after", True, 2), ("serverError", False, 2), ("tooManyRequests", False, 0)],
)
def test_a_fault_of_the_whole_batch(make_service, control, calendar_ids, kind, inserted, units):
    """Every request was read and counts, unless the batch is refused; with drop_after all the work is done."""
    service = make_service(0)
    control.fail(kind, count=2, operation="batch")  # httplib2 sends it again by itself
    calls = [
        service.events().insert(calendarId=calendar_ids[0], body=body(event_id)) for event_id in ("abcde", "abcdf")
    ]

    with pytest.raises((HttpError, OSError)):
        execute(service, *calls)

    entry = control.ledger()[0]
    assert (entry["operation"], entry["part_count"], entry["quota_units"]) == ("batch", 2, units)
    assert (entry["status"] is None) == kind.startswith("drop")
    assert ("abcde" in {event["id"] for event in control.events(calendar_ids[0])}) == inserted


@pytest.mark.parametrize("kind", ["drop", "stale"])
def test_an_unnamed_fault_of_the_connection_meets_the_batch_as_a_whole(service, control, kind):
    """Whatever the batch contains, there is one connection to lose."""
    control.fail(kind)

    assert len(execute(service, *(service.calendarList().list(maxResults=1) for _ in range(2)))) == 2

    assert control.state()["faults_pending"] == 0
    # httplib2 sends a dropped batch again by itself.
    assert [(entry["status"], entry["quota_units"]) for entry in control.ledger()] == (
        [(None, 2), (200, 2)] if kind == "drop" else [(200, 2)]
    )


def test_random_faults_meet_requests_in_a_batch_too(service, control):
    """At rate 1 every request of a batch meets one, and the batch itself does not."""
    control.set_fault_rates({"serverError": 1})

    answers = execute(service, *(service.calendarList().list(maxResults=1) for _ in range(3)))

    assert set(answers.values()) == {(503, "backendError")}
    assert control.ledger()[-1]["status"] == 200


class TracingHttp(httplib2.Http):
    """A client that says who makes the request."""

    def request(self, uri, method="GET", body=None, headers=None, **more):
        return super().request(uri, method, body, {**headers, "traceparent": f"00-{TRACE}-{SPAN}-01"}, **more)


def test_the_batch_carries_the_attempt(fake, control):
    """The outer request's traceparent is the entry's."""
    service = service_for(fake.url, Credentials(demo_accounts(1)[0].token), TracingHttp(timeout=10))

    with contextlib.closing(service):
        execute(service, service.calendarList().list())

    (entry,) = control.ledger()
    assert (entry["operation"], entry["correlation_id"], entry["attempt_id"]) == ("batch", TRACE, SPAN)


def by_hand(
    fake, text: str, content_type: str = "multipart/mixed; boundary=b", path: str = "batch/calendar/v3", **headers
):
    return requests.post(
        f"{fake.url}{path}",
        data=text.replace("\n", "\r\n").encode(),
        headers={"Content-Type": content_type, "Authorization": f"Bearer {demo_accounts(1)[0].token}", **headers},
        timeout=10,
    )


def part(request: str) -> str:
    return f"--b\nContent-Type: application/http\n\n{request}\n\n"


LIST = "GET /calendar/v3/users/me/calendarList"


def test_what_the_batch_says_holds_for_each_request(fake):
    """Query and headers of the batch are inherited, Content-* apart; a Content-ID is not needed; /batch works too."""
    answer = by_hand(fake, part(LIST) + part(f"{LIST}?maxResults=2") + "--b--", path="batch?maxResults=1")

    assert answer.headers["Content-Type"].startswith("multipart/mixed; boundary=batch_")
    assert [
        answer.text.count(text) for text in ("HTTP/1.1 200 OK", "Content-ID", '"kind": "calendar#calendarListEntry"')
    ] == [2, 0, 3]


@pytest.mark.parametrize(
    "target", ["POST /batch/calendar/v3", "GET /_control/state", "POST /token", "GET /calendar/v3/nothing"]
)
def test_only_the_calendar_api_is_in_a_batch(fake, control, target):
    """No batch in a batch, no control, no token: each is 404 and uses nothing."""
    answer = by_hand(fake, part(target) + "--b--")

    assert "HTTP/1.1 404 Not Found" in answer.text
    assert control.ledger()[-1]["quota_units"] == 0


def test_a_request_without_credentials_is_401(fake, control):
    """Nothing is inherited where the batch has no credentials either."""
    answer = by_hand(fake, part(LIST) + "--b--", Authorization="")

    assert answer.status_code == 200
    assert "HTTP/1.1 401 Unauthorized" in answer.text
    assert "WWW-Authenticate: Bearer" in answer.text
    assert control.ledger()[-1]["quota_units"] == 0


@pytest.mark.parametrize(
    ("text", "content_type", "message"),
    [
        ("{}", "application/json", "expected a multipart/mixed body"),
        ("nothing", "multipart/mixed; boundary=b", "expected a multipart/mixed body"),
        (
            "--b\nContent-Type: text/plain\n\nGET /x\n\n--b--",
            "multipart/mixed; boundary=b",
            "expected application/http",
        ),
        (part("GET https://example.com/x") + "--b--", "multipart/mixed; boundary=b", "the path of a URL"),
        (part("") + "--b--", "multipart/mixed; boundary=b", "the path of a URL"),
    ],
)
def test_what_is_no_batch_is_400(fake, control, text, content_type, message):
    """The answer says what was expected; nothing is counted."""
    answer = by_hand(fake, text, content_type)

    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
    entry = control.ledger()[-1]
    assert (entry["operation"], entry["quota_units"], entry["part_count"]) == ("batch", 0, None)


def test_the_client_does_not_take_another_answer_for_a_batch(service, control):
    """A batch refused as a whole is an HttpError, never a BatchError."""
    control.fail("quotaExceeded", operation="batch")

    with pytest.raises(HttpError) as failure:
        execute(service, service.calendarList().list())

    assert not isinstance(failure.value, BatchError)
    assert reason_of(failure.value) == (403, "quotaExceeded")
