"""google.limiter: turns under a quota, by a clock that the tests turn."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

import pytest
from google.oauth2.credentials import Credentials

from calendar_sync.google import GoogleCalendarClient, RateLimited, limiter
from calendar_sync.google.limiter import Quota, postpone, quotas_of, take_turn
from calendar_sync.models import RequestTurn
from tests.calendar_sync.processes import create_tables, together

START = 1_700_000_000.0


class Time:
    """The time of day, as the test wants it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(db) -> Time:
    return Time()


def sent(quota: Quota, arrivals: list[tuple[float, int]], clock: Time) -> list[tuple[float, int]]:
    """When the requests that arrive at those times, each of so many units, are sent."""
    times = []
    for clock.now, units in arrivals:
        times.append((clock.now + take_turn([quota], units, clock=clock), units))
    return sorted(times)


def most_in_a_window(times: list[tuple[float, int]], window_s: float) -> int:
    """The largest number of units in any window of that length, its end excluded."""
    largest, first, within = 0, 0, 0
    for at, units in times:
        within += units
        # What differs by less than a microsecond is the same moment: times are sums of seconds since 1970.
        while times[first][0] <= at - window_s + 1e-6:
            within -= times[first][1]
            first += 1
        largest = max(largest, within)
    return largest


def in_bursts(chance: random.Random, count: int, seconds: float, most: int) -> list[tuple[float, int]]:
    """Arrivals over so many seconds, many of them at the same moment, of up to `most` units each."""
    moments = [START + chance.uniform(0, seconds) for _ in range(1 + count // 8)]
    return sorted((chance.choice(moments), chance.randint(1, most)) for _ in range(count))


def test_after_a_pause_a_burst_goes_at_once_and_then_one_per_interval(clock):
    """2 % of the limit without a wait, the next each an interval later, and after a pause the same again."""
    quota = Quota("q", 200)
    expected = [0.0] * 4 + [number * quota.interval_s for number in range(1, 5)]

    for clock.now in (START, START + 600):
        assert [take_turn([quota], clock=clock) for _ in range(8)] == pytest.approx(expected, abs=1e-6)


def test_part_of_a_burst_comes_back_with_part_of_a_pause(clock):
    """Two intervals later than the last turn two requests go at once, and the third waits."""
    quota = Quota("q", 200)
    last = max(take_turn([quota], clock=clock) for _ in range(10))
    clock.now += last + 2 * quota.interval_s

    assert [take_turn([quota], clock=clock) for _ in range(3)] == pytest.approx([0, 0, quota.interval_s], abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("limit", "window_s"), [(1, 60), (2, 60), (3, 1), (60, 60), (75, 10), (600, 60)])
def test_no_window_has_more_than_the_limit(clock, limit, window_s, seed):
    """Whenever requests arrive, far too many or in bursts between pauses."""
    chance = random.Random(seed)
    for pressure in (0.5, 1, 4):
        quota = Quota(f"q{pressure}", limit, window_s)
        count = min(3 * limit + 10, 700)
        arrivals = in_bursts(chance, count, count / limit * window_s / pressure, most=1)

        assert most_in_a_window(sent(quota, arrivals, clock), window_s) <= limit


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("limit", "most"), [(60, 5), (60, 30), (600, 12), (600, 50), (1000, 50)])
def test_no_window_has_more_than_the_limit_in_batches_either(clock, limit, most, seed):
    """A batch's units are sent at once, also when they are more than a burst."""
    chance = random.Random(seed)
    for pressure in (0.5, 4):
        quota = Quota(f"q{pressure}", limit)
        count = 4 * limit // most + 20
        arrivals = in_bursts(chance, count, count * most / 2 / limit * 60 / pressure, most)

        assert most_in_a_window(sent(quota, arrivals, clock), 60) <= limit


@pytest.mark.parametrize("limit", [60, 600])
def test_nearly_all_of_the_limit_is_used(clock, limit):
    """Where there is always something to send, each minute has more than 95 % of what is allowed."""
    times = sent(Quota("q", limit), [(START, 1)] * 3 * limit, clock)

    for minute in (0, 1):
        begin = START + 60 * minute
        assert sum(begin <= at < begin + 60 for at, _ in times) >= 0.95 * limit


def test_a_batch_waits_for_its_last_units_turn(clock):
    """Ten units where a burst is two go eight intervals later; what comes after them waits that much longer."""
    quota = Quota("q", 100)

    assert take_turn([quota], 10, clock=clock) == pytest.approx(8 * quota.interval_s, abs=1e-6)
    assert take_turn([quota], clock=clock) == pytest.approx(17 * quota.interval_s, abs=1e-6)


def test_a_batch_larger_than_the_limit_is_a_mistake(clock):
    """It could never be sent: the error has both numbers, and no turn is taken."""
    with pytest.raises(ValueError, match="51 units at once, expected at most 50: the limit of q"):
        take_turn([Quota("q", 50)], 51, clock=clock)
    assert not RequestTurn.objects.exists()


def test_who_cannot_wait_so_long_takes_no_turn(clock):
    """RateLimited names the quota and how long it is used up; for the next one nothing has changed."""
    quota = Quota("project/account", 60)
    while take_turn([quota], clock=clock) <= 10:
        pass
    before = RequestTurn.objects.get().free_at

    with pytest.raises(RateLimited, match=r"project/account \(60 in 60 s\) is used up for more than the next 10 s"):
        take_turn([quota], patience_s=10, clock=clock)

    assert RequestTurn.objects.get().free_at == before
    clock.now += 2
    assert take_turn([quota], patience_s=10, clock=clock) <= 10


def test_a_batchs_patience_is_for_its_last_unit(clock):
    """Where its first unit's turn is near enough but its last unit's is not, it is refused."""
    quota = Quota("q", 60)
    wait_s = 9 * quota.interval_s

    with pytest.raises(RateLimited):
        take_turn([quota], 10, patience_s=wait_s / 2, clock=clock)
    assert take_turn([quota], 10, patience_s=wait_s, clock=clock) <= wait_s


def test_the_longest_wait_of_several_quotas_counts(clock):
    """A request takes a turn of each."""
    narrow, wide = Quota("narrow", 60), Quota("wide", 6000)
    first = [take_turn([narrow, wide], clock=clock) for _ in range(3)]

    assert first == pytest.approx([take_turn([Quota("alone", 60)], clock=clock) for _ in range(3)], abs=1e-6)
    assert RequestTurn.objects.get(quota="wide").free_at > START - wide.burst * wide.interval_s


def test_an_account_that_has_used_up_its_own_takes_nothing_from_the_others(clock, settings):
    """Its quota is asked first: what is refused there costs the project nothing."""
    settings.GOOGLE_PROJECT, settings.GOOGLE_QUOTA_PER_MINUTE, settings.GOOGLE_QUOTA_PER_USER_MINUTE = "p", 6000, 60
    quotas = quotas_of("7")
    while take_turn(quotas, clock=clock) < 1:
        pass
    before = RequestTurn.objects.get(quota="p").free_at

    for _ in range(5):
        with pytest.raises(RateLimited, match="p/7"):
            take_turn(quotas, patience_s=1, clock=clock)

    assert RequestTurn.objects.get(quota="p").free_at == before


def test_a_refusal_by_google_holds_everybody_back(clock):
    """Nobody who shares the quota is sent before; then one per interval, without a burst."""
    quota = Quota("q", 600)
    take_turn([quota], clock=clock)

    postpone([quota], 5, clock=clock)

    waits = [take_turn([quota], clock=clock) for _ in range(3)]
    assert waits == pytest.approx([5, 5 + quota.interval_s, 5 + 2 * quota.interval_s], abs=1e-6)


def test_nobody_is_held_back_longer_than_a_window_or_let_go_earlier(clock):
    """By then the quota is free again; a shorter refusal does not end a longer one."""
    quota = Quota("q", 600, window_s=60)
    take_turn([quota], clock=clock)

    postpone([quota], 3600, clock=clock)
    postpone([quota], 1, clock=clock)

    assert take_turn([quota], clock=clock) == pytest.approx(60, abs=1e-6)


def test_a_limit_of_zero_is_no_limit_and_costs_no_query(settings, django_assert_num_queries: Callable[..., object], db):
    """Neither for a request nor after a refusal."""
    settings.GOOGLE_QUOTA_PER_MINUTE = settings.GOOGLE_QUOTA_PER_USER_MINUTE = 0
    assert quotas_of("7") == []

    with django_assert_num_queries(0):
        assert take_turn(quotas_of("7")) == 0
        postpone(quotas_of("7"), 5)


def test_a_turn_is_one_statement_per_quota(clock, django_assert_num_queries: Callable[..., object]):
    """Nothing is read before, so nothing can have changed in between; only a quota's first turn takes more."""
    quotas = [Quota("a", 60), Quota("b", 600)]
    take_turn(quotas, clock=clock)

    with django_assert_num_queries(2):
        take_turn(quotas, clock=clock)


@pytest.fixture
def timed(clock: Time, monkeypatch: pytest.MonkeyPatch) -> Time:
    """The clock, which clients go by too."""
    monkeypatch.setattr(limiter, "take_turn", functools.partial(take_turn, clock=clock))
    monkeypatch.setattr(limiter, "postpone", functools.partial(postpone, clock=clock))
    return clock


def test_the_client_takes_a_turn_of_the_project_and_of_the_account(timed, google, control, settings, sleeps):
    """Each attempt one, failed ones included; the waits are those of the account's, the smaller limit."""
    settings.GOOGLE_QUOTA_PER_MINUTE, settings.GOOGLE_QUOTA_PER_USER_MINUTE = 6000, 60
    control.fail("serverError")
    with GoogleCalendarClient("7", Credentials("fake-token-anna"), sleep=sleeps.append) as client:
        for _ in range(3):
            list(client.list_calendars())

    own, project = Quota("own", 60), Quota("project", 6000)
    assert sleeps == pytest.approx([(number - own.burst + 1) * own.interval_s for number in (1, 2, 3)], abs=1e-5)
    free_at = dict(RequestTurn.objects.values_list("quota", "free_at"))
    name = settings.GOOGLE_PROJECT
    assert free_at == pytest.approx(
        {
            f"{name}/7": START + (4 - own.burst + 1) * own.interval_s,
            name: START + (4 - project.burst + 1) * project.interval_s,
        },
        abs=1e-5,
    )


def test_a_refusal_by_google_is_waited_out_by_the_projects_other_clients(timed, google, control, settings, sleeps):
    """One worker hears 429 with Retry-After; a client of another account then waits as long, and both go in turn."""
    settings.GOOGLE_QUOTA_PER_MINUTE, settings.GOOGLE_QUOTA_PER_USER_MINUTE = 6000, 600
    control.fail("tooManyRequests", retry_after_s=7)
    for account in ("7", "8"):
        with GoogleCalendarClient(account, Credentials("fake-token-anna"), sleep=sleeps.append) as client:
            list(client.list_calendars())

    refused_s, other_s = sleeps
    assert 7 <= refused_s <= 7 + settings.GOOGLE_BACKOFF_BASE_S
    assert other_s == pytest.approx(refused_s + Quota("project", 6000).interval_s, abs=1e-5)


def test_a_failure_of_the_server_holds_nobody_else_back(timed, google, control, settings, sleeps):
    """503 says nothing about the quota: who met it backs off alone."""
    settings.GOOGLE_QUOTA_PER_MINUTE, settings.GOOGLE_QUOTA_PER_USER_MINUTE = 6000, 600
    control.fail("serverError", retry_after_s=7)
    for account in ("7", "8"):
        with GoogleCalendarClient(account, Credentials("fake-token-anna"), sleep=sleeps.append) as client:
            list(client.list_calendars())

    assert len(sleeps) == 1


TAKE_MANY = """
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
from calendar_sync.google.limiter import Quota, take_turn
quota = Quota("q", 600)
def take(_):
    waits = [take_turn([quota], clock=lambda: 1_700_000_000.0) for _ in range(10)]
    connection.close()
    return waits
with ThreadPoolExecutor(2) as pool:
    for waits in pool.map(take, range(2)):
        print(*waits)
"""


def test_threads_and_processes_are_given_each_turn_once(shared_database):
    """Eight threads in four processes ask at one moment for 80 turns, also for the first: none is given twice or lost."""
    create_tables(shared_database, "calendar_sync.RequestTurn")

    outputs = together(shared_database, TAKE_MANY, 4)

    waits = sorted(float(text) for output in outputs for text in output.split())
    quota = Quota("q", 600)
    expected = [max(0.0, (number - quota.burst + 1) * quota.interval_s) for number in range(80)]
    assert waits == pytest.approx(expected, abs=1e-5)
