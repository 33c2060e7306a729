"""Ask Loki which events of a batch it has.

In: events that may have been stored. Out: the event_ids that are stored. Never: a guess; when Loki cannot say, the
error goes to the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.shipper.batch import group_by_stream
from logging_pkg.shipper.checks import Shippable

#: A flush is only begun by the request. Entries days old were there 0.1 s after it in a quiet Loki, and not yet after
#: 1 s in a busy one with many streams: so they are looked for several times before they are taken not to be stored.
_AFTER_FLUSH_S = (0.5, 1.5, 4.0, 10.0)
#: One query covers events that lie closer than this, and no longer a range than that.
_MAX_GAP_NS = 900 * 1_000_000_000
_MAX_RANGE_NS = 6 * 3600 * 1_000_000_000
#: With more writing processes in one batch than this the line filter is left out.
_MAX_INSTANCES = 50


def stored_event_ids(
    client: LokiClient, items: Sequence[Shippable], flush_before_ns: int, pause: Callable[[float], None]
) -> set[str]:
    """Return the event_ids of `items` that Loki has.

    Args:
        client: the store that the events may be in.
        items: the events in question.
        flush_before_ns: events from before this time are looked for again after a flush; see RetryPolicy.
        pause: waits that many seconds.

    Raises:
        LokiError: Loki did not answer; nothing is known.
    """
    found = _ask(client, items)
    oldest_ns = min(int(item.timestamp_ns) for item in items)
    if oldest_ns < flush_before_ns and any(item.event_id not in found for item in items):
        client.flush()
        for seconds in _AFTER_FLUSH_S:
            pause(seconds)
            found |= _ask(client, [item for item in items if item.event_id not in found])
            if len(found) == len(items):
                break
    return found


def _ask(client: LokiClient, items: Sequence[Shippable]) -> set[str]:
    wanted = {item.event_id for item in items}
    found: set[str] = set()
    by_source: dict[tuple[str, str], list[Shippable]] = {}
    for (service_name, env, _), entries in group_by_stream(items).items():
        by_source.setdefault((service_name, env), []).extend(entries)
    for (service_name, env), entries in by_source.items():
        for cluster in _clusters(entries):
            events = "|".join(re.escape(event) for event in sorted({item.stream[2] for item in cluster}))
            # Label values have been matched against patterns without quotes or backslashes.
            query = f'{{service_name="{service_name}",env="{env}",event=~`{events}`}}{_line_filter(cluster)}'
            times = [int(item.timestamp_ns) for item in cluster]
            answer = client.query_range(query, min(times), max(times) + 1)
            assert isinstance(answer, Streams)
            found.update(
                event_id
                for stream in answer.streams
                for entry in stream.entries
                if (event_id := entry.metadata.get("event_id")) in wanted
            )
    return found


def _clusters(items: Sequence[Shippable]) -> Iterator[list[Shippable]]:
    ordered = sorted(items, key=lambda item: int(item.timestamp_ns))
    begin, last_ns = 0, int(ordered[0].timestamp_ns)
    first_ns = last_ns
    for number, item in enumerate(ordered):
        time_ns = int(item.timestamp_ns)
        if time_ns - last_ns > _MAX_GAP_NS or time_ns - first_ns > _MAX_RANGE_NS:
            yield ordered[begin:number]
            begin, first_ns = number, time_ns
        last_ns = time_ns
    yield ordered[begin:]


def _line_filter(items: Sequence[Shippable]) -> str:
    """Other hosts write to the same streams; an event's line holds its instance_id."""
    instances = sorted({item.event_id.partition("-")[0] for item in items})
    if len(instances) > _MAX_INSTANCES:
        return ""
    return f" |~ `{'|'.join(instances)}`"
