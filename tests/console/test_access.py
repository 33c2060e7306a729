"""Who gets in, what goes with every page, and that looking leaves no trace in what is looked at.

In: requests of staff, of others, of nobody. Out: assertions on answers and on the log. Never: a view left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from logging_pkg.console.urls import urlpatterns
from logging_pkg.instrumentation.late_work import unattributed
from logging_pkg.testing import capture_events

_ARGUMENTS = {"trace_of": ["0192f0c1"], "runbook": ["SlowRoute"]}
ADDRESSES = [
    reverse(f"logging_pkg_console:{pattern.name}", args=_ARGUMENTS.get(str(pattern.name), []))
    for pattern in urlpatterns
]
METRICS = [address for address in ADDRESSES if "metrics" in address]
PAGES = [address for address in ADDRESSES if address not in METRICS]


def test_every_address_is_one_of_both() -> None:
    """The tests below look at all of them."""
    assert len(METRICS) == 2
    assert len(PAGES) == 12


@pytest.mark.parametrize("address", PAGES)
def test_nobody_is_sent_to_sign_in(db: None, address: str) -> None:
    """And back afterwards; HTMX is told so in its own way."""
    answer = Client().get(address)
    assert answer.status_code == 302
    assert answer.url == f"/login/?next={address}"
    part = Client().get(address, headers={"HX-Request": "true"})
    assert part.status_code == 401
    assert part["HX-Redirect"].startswith("/login/")


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("who", [{"is_staff": False}, {"is_staff": False, "is_superuser": True}])
def test_others_are_forbidden(db: None, address: str, who: dict[str, bool]) -> None:
    """Signed in is not enough."""
    client = Client()
    client.force_login(User.objects.create_user("anna", **who))
    assert client.get(address).status_code == 403


def test_staff_who_left_are_nobody(db: None) -> None:
    """An inactive user's session is none."""
    client = Client()
    user = User.objects.create_user("gone", is_staff=True)
    client.force_login(user)
    User.objects.update(is_active=False)
    assert client.get(PAGES[1]).status_code == 302


@pytest.mark.parametrize("address", METRICS)
def test_metrics_take_the_token_or_staff(
    staff: Client, addresses: Callable[..., None], tmp_path: Path, address: str
) -> None:
    """Anything else is 401. Here nobody is the Prometheus that is asked, so who gets in gets 503."""
    token = tmp_path / "token"
    token.write_text("s3cret-token\n")

    def status(**headers: str) -> int:
        return Client().get(address, headers=headers).status_code

    assert status(Authorization="Bearer s3cret-token") == 401, "no token is set"
    addresses(metrics_token_file=token)
    assert status() == 401
    assert status(Authorization="Bearer s3cret-toke") == 401
    assert status(Authorization="Bearer ") == 401
    assert status(Authorization="Bearer \xe4\xf6") == 401
    assert status(Authorization="Basic s3cret-token") == 401
    assert status(Authorization="bearer s3cret-token") == 503
    assert staff.get(address).status_code == 503
    token.write_text("")
    assert status(Authorization="Bearer ") == 401, "an empty file lets nobody in"
    token.unlink()
    assert status(Authorization="Bearer s3cret-token") == 401


@pytest.mark.parametrize("address", [address for address in PAGES if not address.endswith("/console/")])
def test_pages_run_no_foreign_script_and_are_kept_by_nobody(staff: Client, address: str) -> None:
    """A policy without inline scripts and styles; no cache; and nothing inline in the markup."""
    answer = staff.get(address)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "no-store" in answer["Cache-Control"]
    text = answer.content.decode()
    assert " style=" not in text
    assert " onclick=" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count("<script src=")


def test_looking_leaves_nothing_in_the_log(staff: Client) -> None:
    """No request, no outgoing exchange with Loki, no query without a unit."""
    with capture_events(excluded_paths=("/console/*",)) as events:
        before = unattributed.query_count
        for address in PAGES:
            staff.get(address)
        assert unattributed.query_count == before
    told = [event for event in events if event["event"] not in {"log.message_recorded", "process.sampled"}]
    assert told == []
