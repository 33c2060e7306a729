"""The fake server around its API: authentication, ledger, controls, and running alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from calendar_sync.fake_google import (
    ControlClient,
    FakeGoogle,
    FakeGoogleServer,
    SeedOptions,
    demo_accounts,
)
from calendar_sync.fake_google.__main__ import main


def reason(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic fake-token-anna", "fake-token-anna", "Bearer "])
def test_an_unknown_token_is_401(fake, header):
    """Only a bearer token of an account is let in; the error says so as Google's does."""
    headers = {"Authorization": header} if header else {}

    answer = requests.get(f"{fake.url}calendar/v3/users/me/calendarList", headers=headers, timeout=10)

    assert reason(answer) == (401, "authError")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_accounts_do_not_see_each_others_calendars(fake, calendar_ids):
    """Another account's calendar is 404, not 403."""
    token = demo_accounts(2)[1].token
    address = f"{fake.url}calendar/v3/calendars/{requests.utils.quote(calendar_ids[0], safe='')}/events"

    assert requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=10).status_code == 404


def test_the_ledger_tells_what_was_seen(api, control, calendar_ids):
    """Operation, status, items and the correlation headers; no token, and no control request."""
    api(
        "GET",
        "calendars",
        calendar_ids[0],
        "events",
        maxResults=3,
        headers={"X-Correlation-ID": "c1", "traceparent": "t1"},
    )
    api("GET", "calendars", "none", "events")

    first, second = control.ledger()

    assert (first["operation"], first["method"], first["status"], first["item_count"]) == ("events.list", "GET", 200, 3)
    assert first["headers"] == {"x-correlation-id": "c1", "traceparent": "t1"}
    assert first["part_count"] is None
    assert (second["status"], second["reason"]) == (404, "notFound")
    assert control.ledger(since=first["number"]) == [second]
    assert control.state()["ledger"]["by_status"] == {"200": 1, "404": 1}
    control.clear_ledger()
    assert control.ledger() == []


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("traceparent", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", (TRACE, SPAN)),
        (f"00-{TRACE}-{SPAN}-00", (TRACE, SPAN)),
        (None, (None, None)),
        ("", (None, None)),
        (f"ff-{TRACE}-{SPAN}-01", (None, None)),
        (f"00-{'0' * 32}-{SPAN}-01", (None, None)),
        (f"00-{TRACE}-{'0' * 16}-01", (None, None)),
        (f"00-{TRACE.upper()}-{SPAN}-01", (None, None)),
        (f"00-{TRACE}-{SPAN}", (None, None)),
        (f"00-{TRACE}-{SPAN}-01-more", (None, None)),
    ],
)
def test_the_ledger_knows_who_made_an_attempt(api, control, traceparent, expected):
    """Trace and span of a valid traceparent header are the entry's correlation_id and attempt_id; else None."""
    api("GET", "users", "me", "calendarList", headers={"traceparent": traceparent} if traceparent is not None else None)

    (entry,) = control.ledger()

    assert (entry["correlation_id"], entry["attempt_id"]) == expected


def test_ledger_numbers_go_on_after_a_clear(api, control):
    """What is asked for since a number is what came after it, whether or not earlier entries are still there."""
    for _ in range(3):
        api("GET", "users", "me", "calendarList")
    control.clear_ledger()
    for _ in range(2):
        api("GET", "users", "me", "calendarList")

    assert [entry["number"] for entry in control.ledger()] == [4, 5]
    assert [[entry["number"] for entry in control.ledger(since=number)] for number in (0, 3, 4, 5, 9)] == [
        [4, 5],
        [4, 5],
        [5],
        [],
        [],
    ]


def test_reset_starts_afresh(api, control, calendar_ids):
    """Mutations, ledger and sync tokens are gone."""
    before = control.events(calendar_ids[0])
    token = api("GET", "calendars", calendar_ids[0], "events").json()["nextSyncToken"]
    control.mutate(calendar_ids[0], delete=5)

    control.reset()

    assert [event["id"] for event in control.events(calendar_ids[0])] == [event["id"] for event in before]
    assert control.ledger() == []
    assert api("GET", "calendars", calendar_ids[0], "events", syncToken=token).status_code == 410


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda control: control.fail("explosion"), "expected one of rateLimitExceeded"),
        (lambda control: control.fail("serverError", status=404), "expected 500 to 599"),
        (lambda control: control.fail("drop", count=0), "expected 1 or more"),
        (lambda control: control.fail("drop", colour="red"), "colour"),
        (lambda control: control.set_latency(-1), "expected 0 to 60000"),
        (lambda control: control.set_quota(status=200), "expected 403 or 429"),
        (lambda control: control.mutate("none"), "no such calendar"),
        (lambda control: control.mutate("anna.de#holiday@group.calendar.google.com", delete=10_000), "has only"),
        (lambda control: control._call("GET", "nonsense"), "no such control"),
    ],
)
def test_a_wrong_control_request_says_what_was_expected(control, wrong, message):
    """Each mistake is a ValueError with the server's explanation."""
    with pytest.raises(ValueError, match=message):
        wrong(control)


def test_an_oversized_body_is_413_and_unread(fake):
    """The server does not read what it would not keep."""
    with socket.create_connection((fake.host, fake.port), timeout=10) as connection:
        connection.sendall(b"POST /calendar/v3/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_connections_are_kept_alive(fake, control):
    """Two requests go over one TCP connection."""
    with requests.Session() as session:
        for _ in range(2):
            session.get(f"{fake.url}_control/state", timeout=10)
        assert [
            pool.num_connections for pool in session.get_adapter(fake.url).poolmanager.pools._container.values()
        ] == [1]


def run_alone(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "calendar_sync.fake_google", "--accounts", "1", "--first-year", "2026", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_alone_and_stops_cleanly(tmp_path: Path, number):
    """`python -m` writes its port when it can be reached, and a signal ends it with status 0."""
    port_file = tmp_path / "port"
    process = run_alone("--port", "0", "--port-file", str(port_file), "--last-year", "2027")
    try:
        deadline = time.monotonic() + 30
        while not port_file.exists() and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        state = ControlClient(f"http://127.0.0.1:{port_file.read_text().strip()}").state()
        assert [account["email"] for account in state["accounts"]] == ["anna@example.com"]
        process.send_signal(number)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def test_its_limits_are_options(tmp_path: Path):
    """What was asked for is in force from the start; 0 is no limit."""
    port_file = tmp_path / "port"
    options = (
        "--port 0 --user-quota 5 --project-quota 0 --day-quota 0 --window-s 2.5 --batch-limit 0 --quota-status 429"
    )
    faults = "--token-lifetime-s 9 --fault-rates stale=0.5 --fault-seed 4 --latency-ms 1"
    process = run_alone("--port-file", str(port_file), *options.split(), *faults.split(), "--last-year", "2026")
    try:
        deadline = time.monotonic() + 30
        while not port_file.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        state = ControlClient(f"http://127.0.0.1:{port_file.read_text().strip()}").state()
    finally:
        process.kill()
        process.communicate()
    assert state["quota"]["limits"] == {
        "per_project_per_minute": None,
        "per_user_per_minute": 5,
        "status": 429,
        "per_project_per_day": None,
        "window_s": 2.5,
        "parts_per_batch": None,
    }
    assert state["token_lifetime_s"] == 9
    assert (state["fault_rates"]["rates"], state["fault_rates"]["seed"]) == ({"stale": 0.5}, 4)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--fault-rates", "explosion=1"], "expected one of rateLimitExceeded"),
        (["--fault-rates", "drop"], "expected KIND=RATE,KIND=RATE"),
        (["--window-s", "0"], "expected more than 0 seconds"),
        (["--token-lifetime-s", "-1"], "expected more than 0 seconds"),
    ],
)
def test_an_option_without_sense_is_told(option, message, capsys):
    """The command ends with status 2 and says what was expected."""
    with pytest.raises(SystemExit, match="2"):
        main(option)

    assert message in capsys.readouterr().err


def test_a_taken_port_is_one_clear_line(fake):
    """The server does not start, says which port, and exits 1."""
    process = run_alone("--port", str(fake.port))
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors.count("\n") == 1
    assert f"127.0.0.1:{fake.port}" in errors


def test_it_needs_no_django():
    """Importing the server imports no Django."""
    code = "import sys, calendar_sync.fake_google.__main__; sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_more_accounts_than_names_are_still_distinct():
    """IDs, addresses and tokens differ, and every account has five calendars."""
    accounts = demo_accounts(25)
    assert len({account.id for account in accounts}) == len({account.token for account in accounts}) == 25
    application = FakeGoogle(SeedOptions(25, 2026, 2026))
    assert {len(account.calendars) for account in application.store.accounts.values()} == {5}


def test_stopping_frees_the_port():
    """A server that was stopped can be started again on the same port."""
    application = FakeGoogle(SeedOptions(1, 2026, 2026))
    with FakeGoogleServer(application) as first:
        port = first.port
    with FakeGoogleServer(application, port=port) as second:
        assert ControlClient(second.url).state()["accounts"]
