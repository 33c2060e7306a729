"""The settings: where they come from, and what is said of a value that cannot work."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.conf import Settings
from logging_pkg.exceptions import ConfigurationError


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variables the pytest plugin sets."""
    import os

    for name in [name for name in os.environ if name.startswith("LOGPIPE_")]:
        monkeypatch.delenv(name)


def test_every_field_is_an_environment_variable() -> None:
    """Each type of field is read from its text."""
    settings = Settings.from_environ(
        {
            "LOGPIPE_SERVICE_NAME": "shop",
            "LOGPIPE_STRICT": "No",
            "LOGPIPE_FILE_MAX_BYTES": "100000",
            "LOGPIPE_HEARTBEAT_INTERVAL_S": "2.5",
            "LOGPIPE_DIRECTORY": "/var/log/shop",
            "LOGPIPE_PROPAGATE_TO_HOSTS": "a.example, b.example:8080 ,",
            "LOGPIPE_SCHEMA_DIRECTORIES": "one,two",
            "UNRELATED": "x",
        }
    )
    assert settings.service_name == "shop"
    assert settings.strict is False
    assert settings.file_max_bytes == 100_000
    assert settings.heartbeat_interval_s == 2.5
    assert settings.directory == Path("/var/log/shop")
    assert settings.propagate_to_hosts == ("a.example", "b.example:8080")
    assert settings.schema_directories == (Path("one"), Path("two"))


def test_overrides_win_over_the_environment() -> None:
    """What a program says itself counts most."""
    assert Settings.from_environ({"LOGPIPE_ENV": "staging"}, env="production").env == "production"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("LOGPIPE_STRICT", "maybe", "expected bool"),
        ("LOGPIPE_FILE_MAX_BYTES", "64 MB", "expected int"),
        ("LOGPIPE_HEARTBEAT_INTERVAL_S", "often", "expected float"),
        ("LOGPIPE_HEARTBEAT_INTERVAL_S", "nan", "heartbeat_interval_s is nan, expected a number from 0"),
        ("LOGPIPE_HEARTBEAT_INTERVAL_S", "45", "heartbeat_interval_s is 45, expected 0 to 30: the alert AppDown"),
        ("LOGPIPE_HEARTBEAT_INTERVAL_S", "-1", "heartbeat_interval_s is -1.0, expected a number from 0"),
        ("LOGPIPE_MAX_FINDINGS", "-1", "max_findings is -1"),
        ("LOGPIPE_SERVICE_NAME", "My Shop", "service_name is 'My Shop', expected to match"),
        ("LOGPIPE_ENV", "", "env is ''"),
        ("LOGPIPE_RELEASE", "a b", "release is 'a b'"),
        ("LOGPIPE_SINK", "syslog", 'expected "file", "stdout" or "none"'),
        ("LOGPIPE_LOG_LEVEL", "loud", "expected one of debug, info, warning, error, critical"),
        ("LOGPIPE_FILE_MAX_BYTES", "100", "expected at least one line: 65536 bytes"),
        ("LOGPIPE_DIRECTORY_MAX_BYTES", "70000", "expected at least one file: file_max_bytes is 67108864"),
        ("LOGPIPE_TRUSTED_CORRELATION_SOURCES", "10.0.0.1/8", "expected a network such as"),
        ("LOGPIPE_CORRELATION_HEADER", "X-Id\r\nSet-Cookie", "expected letters, digits and dashes"),
        ("LOGPIPE_GOOGLE_PROJECT", "p" * 65, "google_project is 'ppp"),
        ("LOGPIPE_USER_ID_KEY_FILE", "/nowhere/key", "user_id_key_file /nowhere/key: No such file"),
        ("LOGPIPE_USER_ACTIONS", "signed_in,Signed In", "user_actions has 'Signed In', expected lower case letters"),
        ("LOGPIPE_USER_ACTIONS", "1st_step", "user_actions has '1st_step', expected lower case letters"),
        ("LOGPIPE_USER_ACTIONS", "x" * 65, "expected lower case letters, digits and underscores, at most 64"),
        (
            "LOGPIPE_USER_ACTIONS",
            ",".join(f"a{n}" for n in range(51)),
            "user_actions has 51 names, expected at most 50",
        ),
    ],
)
def test_a_value_that_cannot_work_is_named(name: str, text: str, expected: str) -> None:
    """The message has the setting, the value and what is expected."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environ({name: text})
    assert expected in str(caught.value)


def test_a_mapping_reads_upper_case_keys_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Django setting LOGPIPE, below the environment, above the defaults given."""
    monkeypatch.setenv("LOGPIPE_ENV", "staging")
    mapping = {"ENV": "production", "DIRECTORY": "/logs", "EXCLUDED_PATHS": ["/up/"], "HEARTBEAT_INTERVAL_S": 5}
    settings = Settings.from_mapping(mapping, source="LOGPIPE", service_name="shop", directory=Path("/else"))
    assert (settings.env, settings.directory, settings.service_name) == ("staging", Path("/logs"), "shop")
    assert settings.excluded_paths == ("/up/",)
    assert settings.heartbeat_interval_s == 5.0


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"SERVICE_NAM": "x"}, 'unknown key "SERVICE_NAM" (did you mean "SERVICE_NAME"?)'),
        ({"QQQ": 1}, 'unknown key "QQQ"; known: ALERTMANAGER_URL'),
        ({"IDENTITY_KEY": b"x"}, 'unknown key "IDENTITY_KEY"'),
        ({"STRICT": "yes"}, "LOGPIPE['STRICT'] is 'yes', expected bool"),
        ({"FILE_MAX_BYTES": True}, "LOGPIPE['FILE_MAX_BYTES'] is True, expected int"),
        ({"EXCLUDED_PATHS": "/up/"}, "LOGPIPE['EXCLUDED_PATHS'] is '/up/', expected tuple"),
        ({"DIRECTORY": None}, "LOGPIPE['DIRECTORY'] is None, expected Path"),
        ({"USER_ACTIONS": "signed_in"}, "LOGPIPE['USER_ACTIONS'] is 'signed_in', expected tuple"),
    ],
)
def test_a_wrong_key_or_type_is_named(mapping: dict[str, Any], expected: str) -> None:
    """With the nearest key, or with the type that is expected."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_mapping(mapping, source="LOGPIPE")
    assert expected in str(caught.value)


def test_user_actions_are_listed_in_either_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty names of 64 characters are allowed, as the schema of user.action_recorded promises; the environment wins."""
    names = [f"a{number:02d}_" + "x" * 60 for number in range(50)]
    settings = Settings.from_mapping({"USER_ACTIONS": names}, source="LOGPIPE")
    assert settings.user_actions == tuple(names)
    assert Settings().user_actions == ()
    monkeypatch.setenv("LOGPIPE_USER_ACTIONS", "signed_in, report_exported")
    settings = Settings.from_mapping({"USER_ACTIONS": names}, source="LOGPIPE")
    assert settings.user_actions == ("signed_in", "report_exported")


def test_the_key_file_is_read_and_not_shown(tmp_path: Path) -> None:
    """Its content keys the hashes; it must be long enough, and no repr repeats it."""
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef\n")
    settings = Settings(user_id_key_file=key).checked()
    assert settings.identity_key == b"0123456789abcdef"
    assert "0123456789abcdef" not in repr(settings)
    key.write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="5 bytes, expected at least 16"):
        Settings(user_id_key_file=key).checked()


def test_settings_cannot_be_changed() -> None:
    """One frozen object."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().env = "x"  # type: ignore[misc]
