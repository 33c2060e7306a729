"""Fixtures that more than one package of tests uses.

In: nothing. Out: real servers, one set per session. Never: an import of the package under test at module level; the
tests of Django and of the shipper share this file and stay independent of each other.
"""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from logging_pkg.loki_client import LokiClient
    from logging_pkg.stack import Binary, Stack


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it runs in the background deaf to Ctrl-C, and the servers that tests end that way inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def stack_binaries() -> Mapping[str, Binary]:
    """Loki, Prometheus and Alertmanager, found or built (minutes, once per machine)."""
    from logging_pkg.stack import find_binary

    return {name: find_binary(name) for name in ("loki", "prometheus", "alertmanager")}


@pytest.fixture(scope="session")
def loki_server(stack_binaries: Mapping[str, Binary]) -> Iterator[Stack]:
    """A real Loki with the committed configuration, shared by the session: isolate a test by labels of its own."""
    from logging_pkg.stack import Stack

    with Stack(servers=("loki",)) as stack:
        yield stack


@pytest.fixture(scope="module")
def own_loki_server(stack_binaries: Mapping[str, Binary]) -> Iterator[Stack]:
    """A real Loki of one module: for what reads every stream, where lines that others break on purpose would get in."""
    from logging_pkg.stack import Stack

    with Stack(servers=("loki",)) as stack:
        yield stack


@pytest.fixture
def loki(loki_server: Stack) -> Iterator[LokiClient]:
    """A client of the shared Loki."""
    from logging_pkg.loki_client import LokiClient

    with LokiClient(loki_server.loki_url) as client:
        yield client


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has logged may be no text (half a surrogate pair): its report travels between processes all the same."""
    report = yield
    report.sections = [
        (name, content.encode("utf-8", "backslashreplace").decode("utf-8")) for name, content in report.sections
    ]
    return report
