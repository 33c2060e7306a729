"""What the console's tests share: a signed-in member of staff, a Loki with events, settings that name it.

In: the session's real Loki. Out: a client of the site, a service name of the test's own. Never: an answer of an earlier test.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from logging_pkg import conf
from logging_pkg.console import asking
from logging_pkg.stack import Stack
from tests.console.story import SECOND, Story

ROOT = Path(__file__).resolve().parents[2]
_services = itertools.count(1)
#: No server listens there: the port is privileged, and nobody's.
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def addresses(loki_server: Stack) -> Iterator[Callable[..., None]]:
    """Set the console's addresses: the session's Loki, no Prometheus, nobody for Alertmanager unless the test says so."""
    before = conf.settings()

    def put(**changed: object) -> None:
        urls = {"loki_url": loki_server.loki_url, "prometheus_url": "", "alertmanager_url": NOBODY}
        conf.configure(replace(before, **{**urls, **changed}))
        asking.forget()

    put()
    yield put
    conf.configure(before)
    asking.forget()


@pytest.fixture
def staff(db: None, addresses: Callable[..., None]) -> Client:
    """A member of staff's browser."""
    client = Client()
    client.force_login(User.objects.create_user("operator", is_staff=True))
    return client


@pytest.fixture
def service() -> str:
    """A service name nobody else's events have."""
    return f"console-{time.time_ns() % 10**12}-{next(_services)}"


def settled(client: Client, url: str, **query: str) -> str:
    """A page, once it waits for nothing any more, as HTMX would have it in the end."""
    end = time.monotonic() + 30
    while True:
        answer = client.get(url, query)
        assert answer.status_code == 200, (answer.status_code, answer.content[:500])
        text = answer.content.decode()
        if 'data-state="waiting"' not in text:
            return text
        assert time.monotonic() < end, "the page still waits"
        time.sleep(0.2)


def panel(page: str, title: str) -> str:
    """The part of a page with this title."""
    found = re.search(rf'<article [^>]*aria-label="{re.escape(title)}">(.*?)</article>', page, re.DOTALL)
    assert found is not None, f"no panel {title!r}"
    return found[1]


def shown(markup: str) -> str:
    """What is left of markup without tags and popovers."""
    without = re.sub(r"<div popover.*?</div>", "", markup, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", without).split())


@pytest.fixture(scope="module")
def watched(stack_binaries: object) -> Iterator[tuple[Stack, Story]]:
    """All three servers with the project's rules, and a story told to them half a minute ago, which rules look at next.

    Each file has its own: after five minutes rules look at this story no more, and other files may have run meanwhile.
    """
    from logging_pkg.loki_client import LokiClient
    from tests.pipeline.events import push

    rules = {
        "rules_directory": ROOT / "loki" / "rules",
        "prometheus_rules_directory": ROOT / "loki" / "prometheus_rules",
    }
    with Stack(**rules) as stack, LokiClient(stack.loki_url) as client:
        story = Story("shop", time.time_ns() - 35 * SECOND)
        push(client, story.lines)
        yield stack, story
