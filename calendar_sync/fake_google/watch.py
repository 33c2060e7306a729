"""The operations on notification channels: watch events, watch the calendar list, stop.

In: an authenticated call.
Out: the channel as Google documents it; ApiError otherwise.
Never: an address outside this machine.

Source: Google Calendar API guide, "Push notifications"; reference v3, Events: watch, CalendarList: watch,
Channels: stop.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any
from urllib.parse import quote, urlsplit

from calendar_sync.fake_google.call import Call
from calendar_sync.fake_google.messages import ApiError, Resource, Response
from calendar_sync.fake_google.push import Channel

# A week. Source: Calendar API reference, Events: watch, `params.ttl`.
DEFAULT_TTL_S = 604_800
_LONGEST_ID, _LONGEST_TOKEN = 64, 256


def watch_events(call: Call) -> Response:
    """events.watch: notifications of every change to a calendar's events."""
    calendar = call.calendar()
    return _watch(call, calendar, f"calendars/{quote(calendar.id, safe='')}/events")


def watch_calendar_list(call: Call) -> Response:
    """calendarList.watch: notifications of every change to the account's list of calendars."""
    return _watch(call, call.account, "users/me/calendarList")


def stop_channel(call: Call) -> Response:
    """channels.stop: no further notifications; 404 for a channel that is not open."""
    call.check_parameters()
    body = call.request.json()
    channel_id, resource_id = _text(body, "id", _LONGEST_ID), _text(body, "resourceId", _LONGEST_ID)
    if not call.channels.stop(channel_id, resource_id, call.account.id):
        raise ApiError(404, "notFound", f"Channel '{channel_id}' not found for this project and user.")
    return Response(204)


def _watch(call: Call, watched: object, path: str) -> Response:
    call.check_parameters()
    body = call.request.json()
    if body.get("type") not in ("web_hook", "webhook"):
        raise ApiError(400, "push.channelTypeNotSupported", "Channel type not supported", location="type")
    channel = Channel(
        id=_text(body, "id", _LONGEST_ID),
        account=call.account.id,
        address=_address(body),
        token=_text(body, "token", _LONGEST_TOKEN) if "token" in body else None,
        expires=_expires(body, call.store.clock.epoch()),
        resource_id=hashlib.sha256(f"{call.account.id}|{path}".encode()).hexdigest()[:27],
        resource_uri=f"http://{call.request.headers.get('host', 'localhost')}/calendar/v3/{path}?alt=json",
        watched=watched,
    )
    call.channels.open(channel)
    answer: Resource = {
        "kind": "api#channel",
        "id": channel.id,
        "resourceId": channel.resource_id,
        "resourceUri": channel.resource_uri,
        "expiration": str(int(channel.expires * 1000)),
    }
    return Response(200, answer if channel.token is None else {**answer, "token": channel.token})


def _text(body: Resource, name: str, longest: int) -> str:
    """A field that goes into a header."""
    value = body.get(name)
    if value is None or value == "":
        raise ApiError(400, "required", f"Missing {name}.", location=name)
    if not isinstance(value, str) or len(value) > longest or not (value.isascii() and value.isprintable()):
        raise _invalid(name, f"expected at most {longest} printable ASCII characters")
    return value


def _address(body: Resource) -> str:
    """Where to deliver: plain HTTP to this machine, which Google does not take and this server takes alone."""
    address = _text(body, "address", 2048)
    try:
        target = urlsplit(address)
        _ = target.port
    except ValueError as error:
        raise _invalid("address", "expected a URL") from error
    if target.scheme == "http" and _is_loopback(target.hostname or ""):
        return address
    if target.scheme == "http":
        raise ApiError(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}", location="address")
    raise _invalid("address", "this server delivers to http:// on loopback only")


def _expires(body: Resource, now: float) -> float:
    """The end of a channel, in seconds since the epoch: `expiration` (ms), else `params.ttl` (s) from now."""
    parameters = body.get("params")
    ttl = parameters.get("ttl", DEFAULT_TTL_S) if isinstance(parameters, dict) else DEFAULT_TTL_S
    expires = _number(body, "expiration", body["expiration"]) / 1000 if "expiration" in body else None
    if expires is None:
        expires = now + _number(body, "params.ttl", ttl)
    if expires <= now:
        raise _invalid("expiration", "expected a time to come")
    return expires


def _number(body: Resource, name: str, value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise _invalid(name, "expected an integer") from error


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _invalid(name: str, expected: str) -> ApiError:
    return ApiError(400, "invalid", f"Invalid value for: {name} ({expected}).", location=name)
