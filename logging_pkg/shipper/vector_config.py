"""Keep the list of declared events inside vector.toml up to date.

In: the registry and the text of vector.toml. Out: the text with the list between its two markers renewed.
Never: touches anything outside the markers, reads or writes a file.
"""

from __future__ import annotations

from logging_pkg.exceptions import ConfigurationError
from logging_pkg.schemas import Registry

BEGIN = "# BEGIN declared events"
END = "# END declared events"


def render_declared_events(registry: Registry, text: str) -> str:
    """Return `text` with the event names of the registry, sorted, one VRL string a line, between the markers.

    Raises:
        ConfigurationError: a marker is missing, or there is more than one pair.
    """
    lines = text.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.lstrip().startswith(BEGIN)]
    ends = [number for number, line in enumerate(lines) if line.lstrip().startswith(END)]
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise ConfigurationError(
            f'vector.toml: found {len(begins)} lines "{BEGIN}" and {len(ends)} "{END}", expected one of each in this '
            "order inside the VRL list of declared events; take them over from the vector.toml of this package"
        )
    begin, end = begins[0], ends[0]
    indent = lines[begin][: len(lines[begin]) - len(lines[begin].lstrip())]
    names = [f'{indent}"{name}",\n' for name in sorted(registry.events)]
    return "".join([*lines[: begin + 1], *names, *lines[end:]])
