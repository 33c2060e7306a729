"""What was expected against what came out.

In: expectations, samples and alerts. Out: the lines of a difference, none when all is as expected. Never: I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logging_pkg.pipeline.rules_test.labels import LabelKey, Labels, key_of, labels_text
from logging_pkg.pipeline.rules_test.model import ExpectedAlert, ExpectedSample


@dataclass(frozen=True)
class FoundAlert:
    """An alert of the rules under test; `annotations` None where nobody asked for them."""

    labels: Labels
    value: float
    annotations: Labels | None = None


@dataclass(frozen=True)
class Difference:
    """What one expectation lacks: pairs of what was expected and what came instead, either empty when there is none."""

    pairs: tuple[tuple[str, str], ...]


def compare_samples(expected: Sequence[ExpectedSample], found: Iterable[tuple[Labels, float]]) -> Difference:
    """Every expected series with its value, and no other series."""
    left = {key_of(labels): value for labels, value in found}
    pairs = []
    for sample in expected:
        key = key_of(sample.labels)
        value = left.pop(key, None)
        if value is None or not is_close(value, sample.value, sample.tolerance):
            tolerance = f" ± {sample.tolerance:g} of it" if sample.tolerance > 1e-6 else ""
            pairs.append((f"{labels_text(key)} {number_text(sample.value)}{tolerance}", _sample_text(key, value)))
    pairs += [("", _sample_text(key, value)) for key, value in left.items()]
    return Difference(_matched(pairs))


def compare_alerts(name: str, expected: Sequence[ExpectedAlert], found: Iterable[FoundAlert]) -> Difference:
    """Every expected alert with its labels, and with the annotations and the value that are given; and no other."""
    left = {key_of(alert.labels): alert for alert in found}
    pairs: list[tuple[str, str]] = []
    for alert in expected:
        key = key_of(alert.labels)
        got = left.pop(key, None)
        shown = f"{name}{labels_text(key)}"
        if got is None:
            pairs.append((shown, ""))
            continue
        if alert.value is not None and not is_close(got.value, alert.value, alert.tolerance):
            values = (number_text(alert.value), number_text(got.value))
            pairs.append((f"{shown}   value {values[0]}", f"{shown}   value {values[1]}"))
        pairs += _annotations(alert.annotations, got.annotations)
    pairs += [("", f"{name}{labels_text(key)}   value {number_text(alert.value)}") for key, alert in left.items()]
    return Difference(_matched(pairs))


def _annotations(expected: Labels, found: Labels | None) -> list[tuple[str, str]]:
    """None: nothing was rendered, so nothing is compared."""
    if found is None:
        return []
    return [
        (f"{name}: {text}", f"{name}: {found[name]}" if name in found else "")
        for name, text in expected.items()
        if found.get(name) != text
    ]


def is_close(found: float, expected: float, tolerance: float) -> bool:
    """Whether a value is the expected one; NaN is NaN."""
    if math.isnan(expected) or math.isnan(found):
        return math.isnan(expected) and math.isnan(found)
    return math.isclose(found, expected, rel_tol=0.0, abs_tol=tolerance * (abs(expected) or 1.0))


def number_text(value: float) -> str:
    """A number as short as it can be told from others."""
    return repr(value).removesuffix(".0")


def _sample_text(key: LabelKey, value: float | None) -> str:
    return "" if value is None else f"{labels_text(key)} {number_text(value)}"


def _matched(pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What is missing beside what is too much, as far as there is both: most often a label differs."""
    missing = [pair[0] for pair in pairs if not pair[1]]
    extra = [pair[1] for pair in pairs if not pair[0]]
    both = [pair for pair in pairs if all(pair)]
    longest = max(len(missing), len(extra))
    padded = zip(missing + [""] * (longest - len(missing)), extra + [""] * (longest - len(extra)), strict=True)
    return (*both, *padded)
