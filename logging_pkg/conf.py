"""The settings of this package, in one frozen object.

In: environment variables, or the Django setting LOGPIPE through `logging_pkg.django`. Out: `settings()`.
Never: reads django.conf, opens a file other than the user ID key.
"""

from __future__ import annotations

import math
import os
import re
import types
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from logging_pkg.exceptions import ConfigurationError
from logging_pkg.schemas import conventions

ENVIRONMENT_PREFIX = "LOGPIPE_"

#: Two heartbeats have to fit into the minute of silence that the alert AppDown (loki/rules/alerts.yaml) waits for.
MAX_HEARTBEAT_INTERVAL_S = 30.0

#: What the schema of user.action_recorded promises of its dimension.
MAX_USER_ACTIONS = 50

_MIB = 1024 * 1024
#: What a web server passes on of a header name: an underscore would be dropped or confused with a dash.
_HEADER_PATTERN = re.compile(r"[A-Za-z0-9-]+")
_ACTION_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,63}")
#: Google Cloud project IDs, those of a domain (`example.com:project`) included.
_PROJECT_PATTERN = re.compile(r"[A-Za-z0-9.:_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. Each field is also an environment variable `LOGPIPE_<FIELD>`."""

    service_name: str = "django"
    """Which program emits; a Loki label. Lower case letters, digits, `-` and `_`."""
    env: str = "development"
    """Deployment environment; a Loki label."""
    release: str = ""
    """Version of the emitting program."""
    enabled: bool = True
    """Whether anything is emitted at all (METRICS_ENABLED)."""
    strict: bool = True
    """Raise on an invalid event (tests, development); else emit logging.event_rejected (production)."""
    schema_directories: tuple[Path, ...] = ()
    """Directories with the project's own event schemas."""

    sink: str = "file"
    """`file` (one file per process), `stdout`, or `none`."""
    directory: Path = Path(".logpipe/logs")
    """Where the file sink writes."""
    file_max_bytes: int = 64 * _MIB
    """A file is rotated by rename before it grows past this."""
    directory_max_bytes: int = 1024 * _MIB
    """All files together; the oldest shipped ones go first, then the oldest unshipped, which are counted."""

    heartbeat_interval_s: float = 15.0
    """Seconds between two process.sampled; 0 switches the heartbeat off."""
    worker_capacity: int = 0
    """Requests one process can serve at a time (gunicorn: --threads, 1 for sync workers); 0 is not known."""
    request_start_header: str = ""
    """Request header in which the proxy in front tells when it took the request (`X-Request-Start`); empty is off. Name
    it only where the proxy always sets it itself: anybody else's value would be believed."""
    memory_profiles: bool = True
    """Whether `manage.py profile_memory` may ask this process for a profile of its memory."""
    database_size_interval_s: float = 300.0
    """Seconds between two db.size_sampled of a program that calls start_size_samples; 0 is off."""
    database_max_bytes: int = 0
    """Size that a database must not grow past, for the forecast; 0 is none."""
    cache_usage_interval_s: float = 60.0
    """Seconds between two cache.usage_reported of a cache; 0 is off."""
    slow_request_threshold_ms: float | None = 1000.0
    """http.slow_request_detected above this (PERFORMANCE_SLOW_THRESHOLD, in seconds); None is off."""
    stuck_request_threshold_s: float = 20.0
    """http.request_stuck for a request without a response after this; 0 is off. Keep it below the server's time-out."""
    apdex_threshold_ms: float = 500.0
    """Apdex T, ms."""
    slow_query_threshold_ms: float = 100.0
    """db.slow_query_detected above this."""
    explain_slow_queries: bool = False
    """Ask for the plan of slow SELECTs, on a connection of its own (db.query_explained). Django: follows DEBUG."""
    explain_interval_s: float = 3600.0
    """One fingerprint is explained once in so many seconds, by each process."""
    explain_timeout_ms: float = 1000.0
    """How long the database may take over a plan, ms."""
    explain_full_scan_rows: int = 1000
    """Reading all of a table is a finding when it has more rows than this."""
    query_count_threshold: int | None = 10
    """db.high_query_count_detected above this (PERFORMANCE_QUERY_THRESHOLD); None is off."""
    n_plus_one_threshold: int = 3
    """db.n_plus_one_detected when one parametrised SELECT runs more often than this in one unit of work."""
    max_findings: int = 20
    """Finding events per unit of work; more are counted in findings_dropped."""
    detail_sample_rate: float = 1.0
    """Share of correlation IDs whose detail events (function.call_finished) are kept, 0 to 1. Failures always are."""
    excluded_paths: tuple[str, ...] = ()
    """Request paths (exact, or a prefix ending in `*`) that are not observed."""
    path_parameters: tuple[str, ...] = ()
    """URL parameters whose values may appear in `path`; all others stay `{name}`."""

    correlation_header: str = conventions.CORRELATION_HEADER
    """Response header with the correlation ID; empty switches it off."""
    trusted_correlation_sources: tuple[str, ...] = ()
    """Networks (CIDR) whose inbound correlation headers are used, e.g. `10.0.0.0/8`; `*` trusts every peer."""
    propagate_to_hosts: tuple[str, ...] = ()
    """Hosts (host or host:port) that outbound calls tell the correlation ID."""

    user_id_key_file: Path | None = None
    """File with the key that user and account IDs are hashed with (production)."""
    log_level: str = "info"
    """Least level of standard library records that become log.message_recorded."""
    log_argument_loggers: tuple[str, ...] = ()
    """Loggers whose arguments may be recorded."""
    user_actions: tuple[str, ...] = ()
    """Names that `record_action` takes, at most 50 (user.action_recorded); they are a dimension of its metrics."""
    project_roots: tuple[Path, ...] = ()
    """Where the project's own code lives, for caller lines; empty means the working directory."""
    google_project: str = "unknown"
    """Google Cloud project whose quota is used."""
    google_quota_per_minute: int = 10_000
    """Quota units a minute of that project. Source of the defaults: Calendar API, "Manage quotas"."""
    google_quota_per_user_minute: int = 600
    """Quota units a minute of one user of that project."""
    google_quota_per_day: int = 1_000_000
    """Quota units a Pacific day of that project."""

    loki_url: str = "http://127.0.0.1:3100"
    """Loki's address, for what reads from it (the console)."""
    loki_tenant: str = ""
    """X-Scope-OrgID of that Loki; empty where it has no tenants."""
    prometheus_url: str = "http://127.0.0.1:9090"
    """Address of the Prometheus that has the recorded series; empty where there is none."""
    alertmanager_url: str = "http://127.0.0.1:9093"
    """Address of the Alertmanager; empty where there is none."""
    explore_url: str = ""
    """Grafana's address, for links to Explore; empty where there is none."""
    metrics_token_file: Path | None = None
    """File with the bearer token that the console's metrics endpoint takes; None lets in staff only."""

    identity_key: bytes = field(default=b"", repr=False)
    """Content of user_id_key_file; filled in by `checked`."""
    slow_query_nanoseconds: int = field(init=False, repr=False)
    """slow_query_threshold_ms as the clock counts: Python has an instruction that compares two integers."""

    def __post_init__(self) -> None:
        """Work out what follows from the rest."""
        threshold_ms = self.slow_query_threshold_ms
        # No integer is infinite or NaN, and `checked` refuses these.
        nanoseconds = int(threshold_ms * 1_000_000) if math.isfinite(threshold_ms) else 0
        object.__setattr__(self, "slow_query_nanoseconds", nanoseconds)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Build settings from `LOGPIPE_*` variables; overrides win.

        Raises:
            ConfigurationError: a variable cannot be read as its field's type, or a value cannot work.
        """
        environ = os.environ if environ is None else environ
        hints = get_type_hints(cls)
        values: dict[str, Any] = {}
        for item in _settable(cls):
            name = ENVIRONMENT_PREFIX + item.name.upper()
            if name in environ:
                values[item.name] = _parse(name, environ[name], hints[item.name])
        return cls(**{**values, **overrides}).checked()

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, source: str, **defaults: Any) -> Settings:
        """Build settings from upper-case keys (the Django setting LOGPIPE); LOGPIPE_* variables win over it.

        Raises:
            ConfigurationError: an unknown key, a wrong type, or a value that cannot work.
        """
        from difflib import get_close_matches

        hints = get_type_hints(cls)
        known = {item.name.upper(): item.name for item in _settable(cls)}
        values = dict(defaults)
        for key, value in mapping.items():
            if key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f' (did you mean "{near[0]}"?)' if near else f"; known: {', '.join(sorted(known))}"
                raise ConfigurationError(f'{source}: unknown key "{key}"{hint}')
            values[known[key]] = _coerce(f"{source}[{key!r}]", value, hints[known[key]])
        for name in known.values():
            variable = ENVIRONMENT_PREFIX + name.upper()
            if variable in os.environ:
                values[name] = _parse(variable, os.environ[variable], hints[name])
        return cls(**values).checked()

    def checked(self) -> Settings:
        """Return these settings with the key read, or raise ConfigurationError for a value that cannot work."""
        for name, pattern in (
            ("service_name", conventions.SERVICE_NAME_PATTERN),
            ("env", conventions.ENV_PATTERN),
            ("release", conventions.RELEASE_PATTERN),
        ):
            if pattern.fullmatch(getattr(self, name)) is None:
                raise ConfigurationError(f"{name} is {getattr(self, name)!r}, expected to match {pattern.pattern}")
        if self.sink not in ("file", "stdout", "none"):
            raise ConfigurationError(f'sink is {self.sink!r}, expected "file", "stdout" or "none"')
        if self.log_level not in conventions.LEVELS:
            raise ConfigurationError(
                f"log_level is {self.log_level!r}, expected one of {', '.join(conventions.LEVELS)}"
            )
        for name in ("file_max_bytes", "directory_max_bytes"):
            if getattr(self, name) < conventions.MAX_LINE_BYTES:
                raise ConfigurationError(
                    f"{name} is {getattr(self, name)}, expected at least one line: {conventions.MAX_LINE_BYTES} bytes"
                )
        if self.directory_max_bytes < self.file_max_bytes:
            raise ConfigurationError(
                f"directory_max_bytes is {self.directory_max_bytes}, expected at least one file: file_max_bytes is "
                f"{self.file_max_bytes}"
            )
        for item in fields(self):
            number = getattr(self, item.name)
            if isinstance(number, int | float) and not (math.isfinite(number) and number >= 0):
                raise ConfigurationError(f"{item.name} is {number}, expected a number from 0")
        if self.heartbeat_interval_s > MAX_HEARTBEAT_INTERVAL_S:
            raise ConfigurationError(
                f"heartbeat_interval_s is {self.heartbeat_interval_s:g}, expected 0 to {MAX_HEARTBEAT_INTERVAL_S:g}: "
                "the alert AppDown takes a minute of silence for a service that is down"
            )
        if self.detail_sample_rate > 1:
            raise ConfigurationError(f"detail_sample_rate is {self.detail_sample_rate:g}, expected 0 to 1")
        if self.correlation_header and _HEADER_PATTERN.fullmatch(self.correlation_header) is None:
            raise ConfigurationError(
                f"correlation_header is {self.correlation_header!r}, expected letters, digits and dashes, or nothing"
            )
        if self.request_start_header and _HEADER_PATTERN.fullmatch(self.request_start_header) is None:
            raise ConfigurationError(
                f"request_start_header is {self.request_start_header!r}, expected letters, digits and dashes, or "
                "nothing"
            )
        if _PROJECT_PATTERN.fullmatch(self.google_project) is None:
            raise ConfigurationError(
                f"google_project is {self.google_project!r}, expected to match {_PROJECT_PATTERN.pattern}"
            )
        for name in ("google_quota_per_minute", "google_quota_per_user_minute", "google_quota_per_day"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}, expected a number from 1")
        for action in self.user_actions:
            if _ACTION_PATTERN.fullmatch(action) is None:
                raise ConfigurationError(
                    f"user_actions has {action!r}, expected lower case letters, digits and underscores, at most 64"
                )
        if len(self.user_actions) > MAX_USER_ACTIONS:
            raise ConfigurationError(
                f"user_actions has {len(self.user_actions)} names, expected at most {MAX_USER_ACTIONS}"
            )
        _check_networks(self.trusted_correlation_sources)
        for name in ("loki_url", "prometheus_url", "alertmanager_url", "explore_url"):
            _check_address(name, getattr(self, name))
        if self.user_id_key_file is None:
            return self
        try:
            key = self.user_id_key_file.read_bytes().strip()
        except OSError as error:
            raise ConfigurationError(f"user_id_key_file {self.user_id_key_file}: {error.strerror}") from error
        if len(key) < 16:
            raise ConfigurationError(
                f"user_id_key_file {self.user_id_key_file}: {len(key)} bytes, expected at least 16"
            )
        return replace(self, identity_key=key)


def _settable(kind: type[Settings]) -> list[Field[Any]]:
    """The fields that are settings; the others follow from them."""
    return [item for item in fields(kind) if item.init and item.name != "identity_key"]


def _check_networks(sources: tuple[str, ...]) -> None:
    from ipaddress import ip_network

    for source in sources:
        if source != "*":
            try:
                ip_network(source)
            except ValueError as error:
                raise ConfigurationError(
                    f'trusted_correlation_sources has {source!r}, expected a network such as "10.0.0.0/8", or "*"'
                ) from error


def _check_address(name: str, url: str) -> None:
    from urllib.parse import urlsplit

    if not url and name != "loki_url":
        return
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return
    except ValueError:
        pass
    raise ConfigurationError(f"{name} is {url!r}, expected scheme, host and port: http://127.0.0.1:3100")


def _parse(name: str, text: str, kind: Any) -> Any:
    """Turn the text of an environment variable into a field's type."""
    bare = _strip_optional(kind)
    if bare is not kind and text.strip().lower() in ("off", "none"):
        return None
    kind = bare
    try:
        if kind is bool:
            return {
                "1": True,
                "true": True,
                "yes": True,
                "on": True,
                "0": False,
                "false": False,
                "no": False,
                "off": False,
            }[text.strip().lower()]
        if get_origin(kind) is tuple:
            part = get_args(kind)[0]
            return tuple(part(item.strip()) for item in text.split(",") if item.strip())
        return kind(text)
    except (ValueError, KeyError) as error:
        expected = "a comma-separated list" if get_origin(kind) is tuple else getattr(kind, "__name__", str(kind))
        raise ConfigurationError(f"environment variable {name} is {text!r}, expected {expected}") from error


def _coerce(place: str, value: Any, kind: Any) -> Any:
    """Accept a Python value for a field's type: paths as text, lists for tuples, whole numbers for floats."""
    bare = _strip_optional(kind)
    if value is None and bare is not kind:
        return None
    if get_origin(bare) is tuple and isinstance(value, list | tuple):
        part = get_args(bare)[0]
        return tuple(part(item) for item in value)
    if bare is Path and isinstance(value, str | Path):
        return Path(value)
    if bare is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(bare, type) and type(value) is bare:
        return value
    raise ConfigurationError(f"{place} is {value!r}, expected {getattr(bare, '__name__', bare)}")


def _strip_optional(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


_current: Settings | None = None
_is_configured = False


def settings() -> Settings:
    """The settings in force: those configured, else those of the environment."""
    global _current
    if _current is None:
        _current = Settings.from_environ()
    return _current


def configure(new: Settings | None) -> None:
    """Put settings in force; None forgets them. `logging_pkg.events.configure` also restarts the writer."""
    global _current, _is_configured
    _current = new
    _is_configured = new is not None


def is_configured() -> bool:
    """Whether the settings in force were put there, not just found in the environment when first asked for."""
    return _is_configured
