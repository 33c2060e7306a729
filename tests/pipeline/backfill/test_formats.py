"""Snappy, Protocol Buffers and the ruler's hash, as far as they are written here."""

from __future__ import annotations

import struct

import pytest

from logging_pkg.pipeline.backfill import snappy, wire
from logging_pkg.pipeline.backfill.blocks import openmetrics
from logging_pkg.pipeline.backfill.slots import Phase, phase_of, slots, xxhash64
from logging_pkg.pipeline.backfill.wire import STALE, STALE_BITS, bits, is_stale

LABELS = (("__name__", "a:b:c"), ("route", "/é/"))


@pytest.mark.parametrize("size", [0, 1, 60, 61, 65_535, 65_536, 65_537, 200_000])
def test_a_block_of_literals_is_read_back(size: int) -> None:
    """Whatever its length."""
    data = bytes(number % 251 for number in range(size))
    assert snappy.decode(snappy.encode(data)) == data


def test_copies_are_followed_also_into_what_they_write() -> None:
    """Copies with one, two and four bytes of distance; one that overlaps itself repeats a run."""
    literal = bytes([10, (4 - 1) << 2]) + b"abcd"
    assert snappy.decode(literal + bytes([(6 - 4) << 2 | 1, 2])) == b"abcdcdcdcd"
    assert snappy.decode(literal + bytes([(6 - 1) << 2 | 2, 4, 0])) == b"abcdabcdab"
    assert snappy.decode(literal + bytes([(6 - 1) << 2 | 3, 1, 0, 0, 0])) == b"abcddddddd"


@pytest.mark.parametrize("block", [b"", b"\x05", b"\x05\x00a", b"\x04\x01\x09", b"\x02\x05a"])
def test_what_is_no_block_is_an_error(block: bytes) -> None:
    """Cut short, or a copy from before the beginning."""
    with pytest.raises(ValueError, match="snappy"):
        snappy.decode(block)


def test_a_stale_marker_keeps_its_bits() -> None:
    """It is a NaN told from others by its bits alone."""
    assert is_stale(STALE)
    assert not is_stale(float("nan"))
    assert bits(STALE) == STALE_BITS
    request = wire.write_request({LABELS: {5: STALE}})
    assert struct.pack("<Q", STALE_BITS) in request


def test_series_of_an_answer_are_read_as_they_were_written() -> None:
    """A write request has the shape of a query's result."""
    series = {LABELS: {1_795_629_722_947: 0.1, 1_795_629_725_947: 0.0}}
    result = wire.write_request(series)
    answer = b"\x0a" + snappy.uvarint(len(result)) + result
    assert wire.read_response(answer) == series


@pytest.mark.parametrize(
    ("data", "expected"), [(b"", 0xEF46DB3751D8E999), (b"abc", 0x44BC2CF5AD770999)], ids=["empty", "abc"]
)
def test_the_hash_is_xxh64(data: bytes, expected: int) -> None:
    """Values of the reference implementation; longer ones are proven by the ruler itself (test_gap)."""
    assert xxhash64(data) == expected


def test_samples_tell_the_phase_and_the_hash_its_nanoseconds() -> None:
    """The hash alone where there are none; milliseconds alone where they contradict it."""
    times = [60_000 * number + 12_345 for number in range(5)]
    assert phase_of([9, 12_345_678_901], times, 60_000_000_000) == Phase(12_345_678_901, "samples", is_exact=True)
    assert phase_of([9], times, 60_000_000_000) == Phase(12_345_000_000, "samples", is_exact=False)
    assert phase_of([9], [], 60_000_000_000) == Phase(9, "hash", is_exact=True)
    assert phase_of([], [], 60_000_000_000) == Phase(0, "assumed", is_exact=False)


def test_slots_are_those_within_the_range_both_ends_included() -> None:
    """One interval apart, each at the phase."""
    phase = Phase(3, "hash", is_exact=True)
    assert list(slots(phase, 10, 13, 33)) == [13, 23, 33]
    assert list(slots(phase, 10, 14, 32)) == [23]


def test_openmetrics_has_values_in_full_and_no_markers() -> None:
    """Times in seconds, label values escaped."""
    labels = (("__name__", "a:b"), ("route", 'x"\\'))
    assert list(openmetrics({labels: {1500: 0.1, 2500: STALE}})) == ['a:b{route="x\\"\\\\"} 0.1 1.500']
