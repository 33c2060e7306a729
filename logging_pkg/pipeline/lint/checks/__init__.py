"""The checks, one module each: an `ID`, maybe `NEEDS`, and a function `check(project)` that yields Problems.

In: a Project. Out: CHECKS, NEEDS. Never: order among problems (the caller sorts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

#: Every module here but those with an underscore, which checks share.
_MODULES: Final = [
    import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__) if not module.name.startswith("_")
]

#: Every check by its ID.
CHECKS: Final[dict[str, Callable[[Project], Iterable[Problem]]]] = {module.ID: module.check for module in _MODULES}
#: What each cannot do without, besides the files it looks at; a module says so in NEEDS.
NEEDS: Final[dict[str, tuple[Need, ...]]] = {module.ID: getattr(module, "NEEDS", ()) for module in _MODULES}
