"""The declared events: loading, checking and asking about them.

In: schema directories. Out: a Registry. Never: emission, Django, network.
"""

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
