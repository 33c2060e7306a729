"""The package's front door."""

from __future__ import annotations

import subprocess
import sys

import pytest

import logging_pkg


def test_every_public_name_is_there() -> None:
    """`__all__` is sorted and holds nothing that cannot be had."""
    assert sorted(logging_pkg.__all__) == logging_pkg.__all__
    for name in logging_pkg.__all__:
        assert getattr(logging_pkg, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any other module."""
    with pytest.raises(AttributeError, match="module 'logging_pkg' has no attribute 'emitt'"):
        _ = logging_pkg.emitt


@pytest.mark.parametrize("module", ["logging_pkg", "logging_pkg.writer", "logging_pkg.context", "logging_pkg.testing"])
def test_the_core_loads_neither_django_nor_structlog(module: str) -> None:
    """The shipper and the command line stay light."""
    program = f"import {module}, sys; print([n for n in ('django', 'structlog', 'requests') if n in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60).strip() == "[]"
