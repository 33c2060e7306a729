"""Which other services are told the current correlation.

In: the host and port of a request. Out: the headers to add, none for a host that is not allow-listed.
Never: the caller's headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from logging_pkg import conf
from logging_pkg.context import current_headers

_NONE: Mapping[str, str] = MappingProxyType({})


def headers_for(host: str | None, port: int | None) -> Mapping[str, str]:
    """The correlation headers of the current span where `propagate_to_hosts` has the host, or host and port."""
    told = conf.settings().propagate_to_hosts
    if told and host and (host in told or f"{host}:{port}" in told or f"[{host}]:{port}" in told):
        return current_headers()
    return _NONE
