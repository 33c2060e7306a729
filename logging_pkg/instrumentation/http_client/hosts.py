"""Names of servers as a bounded dimension.

In: the host of a URL. Out: its name, or `other`. Never: more names than a metric may be grouped by.
"""

from __future__ import annotations

import re
import threading

OTHER = "other"
#: Distinct hosts a process tells by name; with `other` they are the 100 the schema admits.
MAX_HOSTS = 99

#: Host names and addresses. Anything else, such as the path of a socket, is no host.
_HOST = re.compile(r"[a-z0-9._:-]{1,253}")

_known: set[str] = set()
_lock = threading.Lock()


def host_name(host: str | None) -> str:
    """The host in lower case; `other` once MAX_HOSTS are known, and for what is no host name or address."""
    if host in _known:
        return str(host)
    if host is None or _HOST.fullmatch(host) is None:
        return OTHER
    with _lock:
        if host not in _known and len(_known) >= MAX_HOSTS:
            return OTHER
        _known.add(host)
    return host
