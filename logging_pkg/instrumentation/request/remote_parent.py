"""Who sent a request, where a peer that is trusted says so.

In: the address of the peer, its request headers, the settings. Out: the correlation ID and span ID of the caller.
Never: believes a header of a peer it was not told to trust.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network

from logging_pkg.conf import Settings
from logging_pkg.context import parse_correlation_id, parse_traceparent

#: Correlation ID and span ID of the caller in another process; the latter is known only from a `traceparent`.
RemoteParent = tuple[str | None, str | None]
NO_REMOTE_PARENT: RemoteParent = (None, None)


def remote_parent(headers: Callable[[str], str | None], peer: str, settings: Settings) -> RemoteParent:
    """What a trusted peer sent; anything else is as if it had not been sent.

    Args:
        headers: looks a request header up by its name.
        peer: address the request came from.
        settings: whom to trust, and the name of the header.
    """
    if not _is_trusted(peer, settings.trusted_correlation_sources):
        return NO_REMOTE_PARENT
    traceparent = parse_traceparent(headers("traceparent") or "")
    if traceparent is not None:
        return traceparent
    return parse_correlation_id(headers(settings.correlation_header or "X-Correlation-ID") or ""), None


@lru_cache(maxsize=1024)
def _is_trusted(peer: str, sources: tuple[str, ...]) -> bool:
    if "*" in sources:
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False  # a Unix socket has no address; trust it with "*"
    # A server that listens on IPv6 for both reports an IPv4 peer as ::ffff:10.0.0.1.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ip_network(source) for source in sources)
