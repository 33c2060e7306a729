"""The dashboards, one module each.

In: nothing. Out: CATALOGUE. Never: JSON. docs/DASHBOARDS.md tells how to add a panel.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue.cache import CACHE
from logging_pkg.pipeline.dashboards.catalogue.capacity import CAPACITY
from logging_pkg.pipeline.dashboards.catalogue.database import DATABASE
from logging_pkg.pipeline.dashboards.catalogue.google import GOOGLE
from logging_pkg.pipeline.dashboards.catalogue.overview import OVERVIEW
from logging_pkg.pipeline.dashboards.catalogue.pipeline_health import PIPELINE_HEALTH
from logging_pkg.pipeline.dashboards.catalogue.requests import REQUESTS
from logging_pkg.pipeline.dashboards.catalogue.sync import SYNC
from logging_pkg.pipeline.dashboards.catalogue.timeline import TIMELINE
from logging_pkg.pipeline.dashboards.catalogue.users import USERS

#: In the order in which docs/DASHBOARDS.md tells of them.
CATALOGUE: Final = (
    OVERVIEW,
    REQUESTS,
    DATABASE,
    GOOGLE,
    SYNC,
    USERS,
    CACHE,
    CAPACITY,
    PIPELINE_HEALTH,
    TIMELINE,
)
