"""Public names of a package that are imported when they are first used (PEP 562).

In: which module of the package has which name. Out: the package's `__getattr__`. Never: imports one before.

A package whose small modules are needed everywhere would otherwise bring its big ones along each time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def imported_when_used(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package.

    Args:
        package: its `__name__`.
        homes: each public name -> the module that has it, relative to the package.
    """

    def of_package(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return of_package
