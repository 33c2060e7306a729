"""Tests of logging_pkg.analysis.completeness.

In: numbers. Out: assertions on counts. Never: a server.
"""

from __future__ import annotations

from logging_pkg.analysis.completeness import Stored, completeness


def test_nothing_is_lost_when_every_seq_is_stored_once() -> None:
    """As many stored as written, and the result says complete."""
    result = completeness({"a": 3}, {"a": Stored({1, 2, 3}, 3)})
    assert (result.written, result.stored, result.lost, result.repeated) == (3, 3, 0, 0)
    assert result.is_complete


def test_a_hole_in_seq_is_a_lost_event() -> None:
    """A hole in the middle counts, whatever the number of lines."""
    result = completeness({"a": 4}, {"a": Stored({1, 2, 4}, 3)})
    assert result.lost == 1
    assert not result.is_complete


def test_the_tail_that_never_arrived_counts_against_the_last_written_seq() -> None:
    """Holes alone do not show a missing end."""
    assert completeness({"a": 5}, {"a": Stored({1, 2, 3}, 3)}).lost == 2


def test_an_instance_of_which_nothing_arrived_is_lost_whole() -> None:
    """It does not disappear from the sum."""
    assert completeness({"a": 5}, {}).lost == 5


def test_an_event_stored_twice_is_repeated_not_lost() -> None:
    """The metric query's count is over the distinct seqs."""
    result = completeness({"a": 2}, {"a": Stored({1, 2}, 3)})
    assert (result.lost, result.repeated) == (0, 1)
    assert not result.is_complete


def test_what_was_deleted_on_purpose_is_counted_apart() -> None:
    """A disk limit is no loss of the pipeline, but it is no silence either."""
    result = completeness({"a": 4}, {"a": Stored({3, 4}, 2)}, {"a": {1, 2}})
    assert (result.deleted, result.lost) == (2, 0)
    assert not result.is_complete


def test_a_count_too_small_does_not_hide_a_repetition_elsewhere() -> None:
    """One instance stored twice, another that the metric query did not see: both are told."""
    result = completeness({"a": 1, "b": 1}, {"a": Stored({1}, 2), "b": Stored({1}, 0)})
    assert (result.repeated, result.uncounted) == (1, 1)
    assert not result.is_complete


def test_instances_are_summed() -> None:
    """One complete and one incomplete instance."""
    result = completeness({"a": 2, "b": 2}, {"a": Stored({1, 2}, 2), "b": Stored({2}, 1)})
    assert (result.instances, result.written, result.stored, result.lost) == (2, 4, 3, 1)
