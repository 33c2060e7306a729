"""The values that pass between the HTTP server and the API: requests, responses, and Google's error body.

In: what http.server parsed, or what an operation decided.
Out: frozen values; `ApiError` renders the JSON error body that Google documents.
Never: sockets, state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# A resource of the API, as its JSON object.
Resource = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One HTTP request. `path` is still percent-encoded, header names are lower case, `query` has first values."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Resource:
        """The body as a JSON object; raises ApiError 400 `parseError` when it is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError as error:
            raise ApiError(400, "parseError", "Parse Error") from error
        if not isinstance(value, dict):
            raise ApiError(400, "parseError", f"This API expects a JSON object, not {type(value).__name__}.")
        return value


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """The path of a request's target, still percent-encoded, and the first value of each query parameter."""
    parts = urlsplit(target)
    query: dict[str, str] = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        query.setdefault(key, value)
    return parts.path, query


@dataclass(frozen=True)
class Response:
    """One answer: `body` is bytes, or is serialised as JSON; None is an empty body.

    `closes_connection`: the connection ends after it, without the answer saying so.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=UTF-8"
    closes_connection: bool = False

    def encoded(self) -> bytes:
        """The body's bytes (UTF-8 JSON unless they are bytes already), empty for None."""
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()


class ApiError(Exception):
    """An error as Google answers it: HTTP status, machine-readable reason, message, and headers such as Retry-After."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location: str | None = None,
        location_type: str = "parameter",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.domain = domain
        self.location = location
        self.location_type = location_type
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The error body of the Calendar API.

        Source: Google Calendar API guide, "Handle API errors".
        """
        detail: Resource = {"domain": self.domain, "reason": self.reason, "message": self.message}
        if self.location is not None:
            detail |= {"locationType": self.location_type, "location": self.location}
        body = {"error": {"errors": [detail], "code": self.status, "message": self.message}}
        return Response(self.status, body, self.headers)
