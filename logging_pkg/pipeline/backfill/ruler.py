"""What Loki's own configuration says about its ruler, and about the lines it keeps.

In: Loki's configuration. Out: a Ruler; a refusal of a range whose lines are gone. Never: a guess at a setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

import yaml

from logging_pkg.exceptions import LokiError, RuleError
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.logql.tokens import LogQLError, duration_ns
from logging_pkg.stack.servers import TENANT


@dataclass(frozen=True, slots=True)
class Ruler:
    """What Loki's own configuration says about its ruler.

    Attributes:
        path: where rule files lie while they are evaluated; None where Loki does not say.
        interval_ns: of groups that set none.
        kept_ns: how long Loki keeps lines; None for ever.
    """

    path: str | None
    interval_ns: int
    kept_ns: int | None

    def file(self, name: str) -> str | None:
        """The path it evaluates a rule file under (pkg/ruler/base/mapper.go); None where Loki does not say."""
        return None if self.path is None else f"{self.path.rstrip('/')}/{TENANT}/{quote(name, safe='$&+=:@')}"


def ruler_of(client: LokiClient) -> Ruler:
    """Ask Loki for its ruler's settings.

    Raises:
        LokiError: it does not answer.
    """
    try:
        document = yaml.safe_load(client.configuration())
        ruler, limits = document["ruler"], document["limits_config"]
        interval_ns = duration_ns(str(ruler["evaluation_interval"]))
        deletes = bool(document["compactor"].get("retention_enabled"))
        kept_ns = duration_ns(str(limits["retention_period"])) if deletes else 0
        return Ruler(str(ruler["rule_path"]), interval_ns, kept_ns or None)
    except (yaml.YAMLError, KeyError, TypeError, LogQLError) as error:
        raise LokiError(
            f"{client.url}/config: {type(error).__name__}: {error}; expected Loki's configuration"
        ) from None


def require_lines(ruler: Ruler, start_ns: int, now_ns: int, reach_ns: int) -> None:
    """Refuse a range whose lines Loki has deleted already: what is computed from the rest would be wrong.

    Raises:
        RuleError: it begins too early; the message says where it may.
    """
    if ruler.kept_ns is None:
        return
    oldest_ns = now_ns - ruler.kept_ns + reach_ns
    if start_ns < oldest_ns:
        hours = ruler.kept_ns / 3.6e12
        raise RuleError(
            f"--from: Loki keeps lines for {hours:g} h (retention_period), and the rules look back up to "
            f"{reach_ns / 3.6e12:.1f} h; the range may begin {(now_ns - oldest_ns) / 3.6e12:.1f} h ago at the earliest"
        )
