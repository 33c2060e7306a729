"""Usage limits of the fake server: what they count, and when they forget."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import requests

from calendar_sync.fake_google import ControlClient, FakeGoogle, FakeGoogleServer, QuotaLimits, demo_accounts
from calendar_sync.fake_google.messages import ApiError
from calendar_sync.fake_google.quota import Quota
from tests.calendar_sync.conftest import SEED
from tests.calendar_sync.fake_google.conftest import Hands


def reason(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


def ask(
    server: FakeGoogleServer,
    account: int = 0,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> requests.Response:
    token = demo_accounts(account + 1)[account].token
    return requests.get(
        f"{server.url}calendar/v3/users/me/calendarList",
        params=query,
        headers={"Authorization": f"Bearer {token}", **(headers or {})},
        timeout=10,
    )


#: 23:59:50 in Los Angeles, in winter (UTC-8).
BEFORE_MIDNIGHT = dt.datetime(2026, 1, 16, 7, 59, 50, tzinfo=dt.UTC)


@pytest.fixture
def hands() -> Hands:
    return Hands(BEFORE_MIDNIGHT)


@pytest.fixture
def limited(hands: Hands) -> Iterator[FakeGoogleServer]:
    """A server of two accounts whose time stands still."""
    with FakeGoogleServer(FakeGoogle(SEED, QuotaLimits(None, None), hands.clock())) as server:
        yield server


def test_usage_limits_slide(hands):
    """A request counts for 60 s; a refused one does not count; users are limited apart, the project as a whole."""
    start = hands.at
    quota = Quota(QuotaLimits(per_project_per_minute=3, per_user_per_minute=2), hands.clock())

    quota.take("p", "anna")
    hands.at = start + 30
    quota.take("p", "anna")
    with pytest.raises(ApiError, match="403 userRateLimitExceeded"):
        quota.take("p", "anna")
    quota.take("p", "ben")
    with pytest.raises(ApiError, match="403 rateLimitExceeded"):
        quota.take("p", "chloe")
    hands.at = start + 60
    quota.take("p", "anna")
    assert quota.used() == {"p/anna": 2, "p": 3, "p/ben": 1, "p/chloe": 0}


@pytest.mark.parametrize(
    ("window_s", "later_s", "status"), [(60, 59.9, 403), (60, 60, 200), (2, 1.9, 403), (2, 2, 200)]
)
def test_a_request_leaves_the_window_after_its_length(limited, hands, window_s, later_s, status):
    """The window is a minute, or as long as `window_s` says."""
    ControlClient(limited.url).set_quota(per_user_per_minute=1, window_s=window_s)

    assert ask(limited).status_code == 200
    hands.at += later_s
    assert ask(limited).status_code == status


@pytest.mark.parametrize("status", [403, 429])
def test_an_exceeded_quota_is_answered_over_http(limited, status):
    """Both statuses Google uses can be had, and the refused request used nothing."""
    control = ControlClient(limited.url)
    control.set_quota(per_user_per_minute=1, status=status)

    answers = [ask(limited) for _ in range(2)]

    assert answers[0].status_code == 200
    assert reason(answers[1]) == (status, "userRateLimitExceeded")
    assert [entry["quota_units"] for entry in control.ledger()] == [1, 0]


def test_the_day_of_a_project_ends_at_midnight_in_california(limited, hands):
    """A used-up day is 403 quotaExceeded until 00:00 Pacific time, for every user of the project, not of others."""
    control = ControlClient(limited.url)
    control.set_quota(per_project_per_day=2, status=429)

    assert [ask(limited, 0).status_code, ask(limited, 1).status_code] == [200, 200]
    refused = ask(limited)
    assert reason(refused) == (403, "quotaExceeded")
    assert refused.json()["error"]["errors"][0]["domain"] == "usageLimits"
    assert ask(limited, headers={"X-Goog-User-Project": "another"}).status_code == 200
    hands.move_to(BEFORE_MIDNIGHT + dt.timedelta(seconds=9))
    assert ask(limited).status_code == 403
    hands.move_to(BEFORE_MIDNIGHT + dt.timedelta(seconds=10))
    assert ask(limited).status_code == 200


def test_summer_time_moves_the_midnight(limited, hands):
    """In July the Pacific day begins at 07:00 UTC."""
    hands.move_to(dt.datetime(2026, 7, 15, 6, 59, 59, tzinfo=dt.UTC))
    control = ControlClient(limited.url)
    assert control.state()["quota"]["day"] == "2026-07-14"

    hands.move_to(dt.datetime(2026, 7, 15, 7, 0, tzinfo=dt.UTC))

    assert control.state()["quota"]["day"] == "2026-07-15"


def test_the_state_shows_what_was_used(limited, hands):
    """By project and user in the window, by project in the day; what was refused is in neither."""
    control = ControlClient(limited.url)
    control.set_quota(per_user_per_minute=2)
    for _ in range(3):
        ask(limited)
    hands.at += 5
    ask(limited, 1)

    quota = control.state()["quota"]

    anna, ben = (account.id for account in demo_accounts(2))
    project = "calendar-sync-dev"
    assert quota["used_this_minute"] == {project: 3, f"{project}/{anna}": 2, f"{project}/{ben}": 1}
    assert quota["used_today"] == {project: 3}
    assert quota["day"] == "2026-01-15"
    hands.at += 60
    assert control.state()["quota"]["used_this_minute"][project] == 0
    assert control.state()["quota"]["used_today"] == {}


def test_a_request_may_say_for_whom_it_counts(limited):
    """`quotaUser` is a user of its own in the window, whoever's token it is."""
    control = ControlClient(limited.url)
    control.set_quota(per_user_per_minute=1)

    assert [ask(limited, query=query).status_code for query in ({}, {"quotaUser": "x"}, {"quotaUser": "x"}, {})] == [
        200,
        200,
        403,
        403,
    ]


def test_no_limit_lets_everything_pass(limited):
    """None for every limit: nothing is refused."""
    ControlClient(limited.url).set_quota(
        per_project_per_minute=None, per_user_per_minute=None, per_project_per_day=None
    )

    assert {ask(limited).status_code for _ in range(5)} == {200}


@pytest.mark.parametrize("window_s", [0, -1])
def test_a_window_has_a_length(limited, window_s):
    """A window of no length would let everything pass by mistake."""
    with pytest.raises(ValueError, match="expected more than 0 seconds"):
        ControlClient(limited.url).set_quota(window_s=window_s)
