"""Batch requests: several requests in the body of one, their answers in the body of its answer.

In: a multipart/mixed request with application/http parts, as google-api-python-client writes them.
Out: the requests in it, and of their answers one multipart/mixed answer.
Never: what the requests mean.

Source: Google Calendar API guide, "Send batch requests".
"""

from __future__ import annotations

import email
import email.message
import http.client
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from calendar_sync.fake_google.messages import ApiError, Request, Response, split_target


@dataclass(frozen=True)
class Part:
    """One request of a batch. `content_id` is what its answer is known by; None when it had none."""

    content_id: str | None
    request: Request


def parse(outer: Request) -> list[Part]:
    """The requests of a batch.

    The batch's query parameters and headers (but for Content-*) hold for each, unless it has its own. Raises ApiError
    400 when the body is not a batch.
    """
    head = f"Content-Type: {outer.headers.get('content-type', '')}\r\n\r\n".encode()
    message = email.message_from_bytes(head + outer.body)
    if not message.is_multipart() or message.get_content_type() != "multipart/mixed":
        raise _unreadable("expected a multipart/mixed body")
    inherited = {name: value for name, value in outer.headers.items() if not name.startswith("content-")}
    parts = [part for part in message.get_payload() if isinstance(part, email.message.Message)]
    return [_part(part, outer, inherited) for part in parts]


def answer(answers: Iterable[tuple[Part, Response]]) -> Response:
    """The batch's answer, the parts in the order of their requests."""
    boundary = f"batch_{secrets.token_hex(12)}"
    lines = []
    for part, response in answers:
        body = response.encoded()
        phrase = http.client.responses.get(response.status, "Unknown")
        lines += [f"--{boundary}", "Content-Type: application/http"]
        if part.content_id is not None:
            lines.append(f"Content-ID: <response-{part.content_id}>")
        lines += ["", f"HTTP/1.1 {response.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        lines += [f"Content-Type: {response.content_type}", f"Content-Length: {len(body)}", "", body.decode()]
    body = "\r\n".join([*lines, f"--{boundary}--", ""]).encode()
    return Response(200, body, content_type=f"multipart/mixed; boundary={boundary}")


def _part(part: email.message.Message, outer: Request, inherited: dict[str, str]) -> Part:
    payload = part.get_payload(decode=True)
    if part.get_content_type() != "application/http" or not isinstance(payload, bytes):
        raise _unreadable(f"a part is {part.get_content_type()}; expected application/http")
    line, _, rest = payload.lstrip().partition(b"\n")
    method, _, target = line.decode("latin-1").strip().partition(" ")
    target = target.partition(" ")[0]
    if not target.startswith("/"):
        raise _unreadable(f"request line {line[:80]!r}; expected a method and the path of a URL")
    inner = email.message_from_bytes(rest)
    body = inner.get_payload(decode=True)
    path, query = split_target(target)
    headers = {**inherited, **{name.lower(): str(value) for name, value in inner.items()}}
    content_id = " ".join(str(part.get("Content-ID", "")).split()).strip("<>") or None
    return Part(
        content_id,
        Request(method, path, {**outer.query, **query}, headers, body if isinstance(body, bytes) else b""),
    )


def _unreadable(why: str) -> ApiError:
    return ApiError(400, "badRequest", f"Failed to parse batch request, error: {why}.")
