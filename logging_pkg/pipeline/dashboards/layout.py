"""Where panels stand on Grafana's grid of 24 columns.

In: sizes in reading order. Out: places. Never: two panels in one place.
"""

from __future__ import annotations

from collections.abc import Iterable

from logging_pkg.pipeline.dashboards.model import GRID_WIDTH

#: Grid rows of a heading.
HEADING_HEIGHT = 1


def place(sizes: Iterable[tuple[int, int]], top: int) -> tuple[list[dict[str, int]], int]:
    """Put panels side by side, and below what is there when the line is full.

    Args:
        sizes: (width, height) of each, in columns and rows of the grid.
        top: the first free row.

    Returns:
        A `gridPos` for each, and the first free row below them.
    """
    places: list[dict[str, int]] = []
    x, line_height = 0, 0
    for width, height in sizes:
        if x + width > GRID_WIDTH:
            top, x, line_height = top + line_height, 0, 0
        places.append({"x": x, "y": top, "w": width, "h": height})
        x, line_height = x + width, max(line_height, height)
    return places, top + line_height
