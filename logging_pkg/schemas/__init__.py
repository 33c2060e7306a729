"""The declared events: loading, checking and asking about them.

In: schema directories. Out: a Registry. Never: emission, Django, network; the loader where only conventions are needed.
"""

from typing import TYPE_CHECKING

from logging_pkg.lazy_names import imported_when_used

if TYPE_CHECKING:
    from logging_pkg.schemas.loading import load_directory, load_registry
    from logging_pkg.schemas.registry import Dimension, EventSchema, Metric, Registry
    from logging_pkg.schemas.validation import has_non_finite, problems_of

__all__ = [
    "Dimension",
    "EventSchema",
    "Metric",
    "Registry",
    "has_non_finite",
    "load_directory",
    "load_registry",
    "problems_of",
]

if not TYPE_CHECKING:
    __getattr__ = imported_when_used(
        __name__,
        {
            "Dimension": "registry",
            "EventSchema": "registry",
            "Metric": "registry",
            "Registry": "registry",
            "has_non_finite": "validation",
            "load_directory": "loading",
            "load_registry": "loading",
            "problems_of": "validation",
        },
    )
