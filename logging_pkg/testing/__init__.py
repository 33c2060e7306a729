"""Helpers for tests of projects that emit events: capture, assert, validate.

In: the events of a test, or any NDJSON file. Out: assertions that name what was expected and what was there.
Never: a second emission path; what is captured went through the real writer.
"""

from logging_pkg.testing.assertions import assert_event, assert_no_event, assert_valid_stream
from logging_pkg.testing.capture import LogEvents, capture_events
from logging_pkg.testing.streams import StreamProblem, validate_stream

__all__ = [
    "LogEvents",
    "StreamProblem",
    "assert_event",
    "assert_no_event",
    "assert_valid_stream",
    "capture_events",
    "validate_stream",
]
