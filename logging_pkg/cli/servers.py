"""Which servers a command asks, and what it does when one does not answer.

In: options, LOGPIPE_<SERVER>_URL, or the state of a running `logpipe stack`. Out: clients; answers, or what went wrong.
Never: a guess at an address; one server's silence taken for another's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeVar

import typer

from logging_pkg.cli.loki import checked_url, stack_url
from logging_pkg.cli.output import say
from logging_pkg.exceptions import ConfigurationError, LokiError
from logging_pkg.loki_client import LokiClient
from logging_pkg.prometheus_client import AlertmanagerClient, PrometheusClient, ServerError

T = TypeVar("T")
#: Somebody waits at a terminal.
TIMEOUT_S: Final = 10.0

PrometheusUrl = Annotated[
    str | None,
    typer.Option(
        "--prometheus-url", envvar="LOGPIPE_PROMETHEUS_URL", help="Its address; by default that of `logpipe stack`."
    ),
]
AlertmanagerUrl = Annotated[
    str | None,
    typer.Option(
        "--alertmanager-url", envvar="LOGPIPE_ALERTMANAGER_URL", help="Its address; by default that of `logpipe stack`."
    ),
]


@dataclass
class Servers:
    """The clients of those whose address is known, and what went wrong with them so far."""

    loki: LokiClient | None = None
    prometheus: PrometheusClient | None = None
    alertmanager: AlertmanagerClient | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def unknown(self) -> list[str]:
        """Those without an address."""
        clients = {"Loki": self.loki, "Prometheus": self.prometheus, "Alertmanager": self.alertmanager}
        return [name for name, client in clients.items() if client is None]

    def answer(self, question: Callable[[], T]) -> T | None:
        """What a server says; None where it does not, and then why is in `problems`."""
        try:
            return question()
        except (LokiError, ServerError) as error:
            self.problems.append(str(error))
            return None

    def tell(self, without: Collection[str] = ()) -> None:
        """Say on stderr which were not asked, but for those a command has no use of, and which did not answer."""
        unknown = [name for name in self.unknown if name not in without]
        if unknown:
            names = " and ".join(unknown)
            options = ", ".join(f"--{name.lower()}-url" for name in unknown)
            say(f"logpipe: {names} not asked: no address ({options})", err=True)
        for problem in self.problems:
            say(f"logpipe: {problem}", err=True)


@contextmanager
def open_servers(
    loki_url: str | None, prometheus_url: str | None, alertmanager_url: str | None, *, timeout_s: float = TIMEOUT_S
) -> Iterator[Servers]:
    """Those whose address is given, else those that `logpipe stack` runs here; there may be none.

    Raises:
        ConfigurationError: an address is none.
    """
    urls = {"loki": loki_url, "prometheus": prometheus_url, "alertmanager": alertmanager_url}
    known = {name: url or stack_url(name) for name, url in urls.items()}
    ports = {"loki": 3100, "prometheus": 9090, "alertmanager": 9093}
    for name, url in known.items():
        if url:
            checked_url(url, name.capitalize(), ports[name])
    with ExitStack() as stack:
        loki, prometheus, alertmanager = (known[name] for name in ports)
        yield Servers(
            stack.enter_context(LokiClient(loki, timeout_s=timeout_s)) if loki else None,
            stack.enter_context(PrometheusClient(prometheus, timeout_s)) if prometheus else None,
            stack.enter_context(AlertmanagerClient(alertmanager, timeout_s)) if alertmanager else None,
        )


def needed(client: T | None, name: str) -> T:
    """A client that a command cannot do without.

    Raises:
        ConfigurationError: its address is not known; the message says how to give one.
    """
    if client is None:
        raise ConfigurationError(f"no {name} known: start one with `logpipe stack up`, or give --{name.lower()}-url")
    return client
