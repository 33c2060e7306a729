"""Which Loki a command asks.

In: --loki-url, LOGPIPE_LOKI_URL, or the state of a running `logpipe stack`. Out: a LokiClient. Never: a guess.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from logging_pkg.exceptions import ConfigurationError
from logging_pkg.loki_client import LokiClient
from logging_pkg.stack.state import read_state

STACK_DIRECTORY = Path(".logpipe/stack")

LokiUrl = Annotated[
    str | None,
    typer.Option("--loki-url", envvar="LOGPIPE_LOKI_URL", help="Loki's address; by default that of `logpipe stack`."),
]


def loki_client(url: str | None) -> LokiClient:
    """A client of the Loki named, else of the running stack of this directory.

    Raises:
        ConfigurationError: neither is there; the message says how to give one.
    """
    url = url or stack_url()
    if url is None:
        raise ConfigurationError("no Loki known: start one with `logpipe stack up`, or give --loki-url")
    return LokiClient(checked_url(url))


def stack_url(name: str = "loki") -> str | None:
    """The address of a server that `logpipe stack` runs in this directory, if it does."""
    state = read_state(STACK_DIRECTORY)
    server = state.servers.get(name) if state is not None else None
    return server.url if server is not None else None


def checked_url(url: str, server: str = "Loki", port: int = 3100) -> str:
    """The address of a server as it is; `port` is its usual one, for the message.

    Raises:
        ConfigurationError: it is none; retrying would not mend it.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return url
    except ValueError:
        pass
    raise ConfigurationError(f"{server}'s address is {url!r}, expected scheme, host and port: http://127.0.0.1:{port}")
