"""Garbage collections: counted and timed, and left as they are."""

from __future__ import annotations

import gc

from logging_pkg.instrumentation.resources.garbage import CollectionWatch


def test_collections_since_the_last_look_are_counted_and_timed() -> None:
    """A circle is collected in a full collection; the next look begins at nought."""
    watch = CollectionWatch()
    watch.install()
    watch.install()
    try:
        watch.take()
        for _ in range(100):
            circle: list[object] = []
            circle.append(circle)
        del circle
        gc.collect()
        found = watch.take()
        assert found["gc_gen2_count"] == 1
        assert found["gc_collected_count"] >= 100
        assert 0 < found["gc_max_pause_ms"] <= found["gc_pause_ms"]
        assert sum(callback == watch._on_collection for callback in gc.callbacks) == 1
    finally:
        watch.remove()
        watch.remove()
    assert watch._on_collection not in gc.callbacks


def test_pauses_that_nobody_times_are_not_told() -> None:
    """Counts are Python's own and stay; a pause of 0 would be a lie."""
    watch = CollectionWatch()
    gc.collect()
    found = watch.take()
    assert found["gc_gen2_count"] >= 1
    assert "gc_pause_ms" not in found
    assert "gc_max_pause_ms" not in found
