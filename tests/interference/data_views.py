"""Views that use the database and the cache, and answer with everything these returned or raised.

In: requests. Out: JSON of results, notes. Never: anything that knows the package under test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group, User
from django.core.cache import BaseCache, caches
from django.db import (
    DatabaseError,
    Error,
    IntegrityError,
    connection,
    connections,
    models,
    reset_queries,
    transaction,
)
from django.db.models import Count, F, Prefetch, Q
from django.db.models.signals import post_save
from django.http import HttpRequest, HttpResponse, JsonResponse

from tests.interference.trail import describe, note, stable


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returned, or the exception it raised."""
    try:
        return repr(call())
    except Exception as error:
        return describe(error)


async def outcome_async(call: Callable[[], Awaitable[Any]]) -> Any:
    """The same of a coroutine."""
    try:
        return repr(await call())
    except Exception as error:
        return describe(error)


# -- database --


def reads(request: HttpRequest) -> HttpResponse:
    reset_queries()
    groups = list(Group.objects.annotate(size=Count("user")).order_by("name")[:5])
    users = User.objects.filter(Q(is_staff=True) | Q(groups__name="group 1")).distinct().order_by("pk")
    names = [[user.username, [group.name for group in user.groups.all()]] for user in users]
    prefetched = list(
        User.objects.prefetch_related(Prefetch("groups", Group.objects.order_by("pk"))).order_by("pk")[:3]
    )
    streamed = [user.pk for user in User.objects.order_by("pk").iterator(chunk_size=2)]
    kept = [entry["sql"] for entry in connection.queries]
    return JsonResponse(
        {
            "groups": [str(group) for group in groups],
            "names": names,
            "prefetched": [len(user.groups.all()) for user in prefetched],
            "streamed": streamed,
            "kept": [stable(sql) for sql in kept],
            "plan": bool(User.objects.filter(pk=1).explain()),
        }
    )


def cursors(request: HttpRequest) -> HttpResponse:
    found: list[Any] = []
    with connection.cursor() as cursor:
        found.append(type(cursor).__name__)
        found.append(repr(cursor.execute("SELECT %s, %s", [1, "two"]) is not None))
        found += [cursor.fetchone(), cursor.fetchall(), cursor.rowcount, [column[0] for column in cursor.description]]
        found.append(outcome(lambda: cursor.execute("SELECT 1 FROM no_such_table")) if _standalone() else None)
        found.append(outcome(lambda: cursor.execute("SELECT %s, %s", [1])) if _standalone() else None)
        cursor.executemany("UPDATE auth_group SET name = %s WHERE name = %s", [("a", "b"), ("c", "d")])
        found.append(cursor.rowcount)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM auth_group ORDER BY name")
        found.append([row[0] for row in cursor])
    # The project's own wrapper is the innermost or outermost as Django has it, and is removed alone.
    seen: list[str] = []

    def own(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        seen.append(f"{sql} {params} {many} {sorted(context)}")
        return execute(sql, params, many, context)

    def replacing(execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        return execute(sql.replace("41", "42"), params, many, context)

    with connection.execute_wrapper(own), connection.execute_wrapper(replacing), connection.cursor() as cursor:
        cursor.execute("SELECT 41")
        found.append(cursor.fetchone())
    with connection.cursor() as cursor:
        cursor.execute("SELECT 41")
        found.append(cursor.fetchone())
    return JsonResponse({"found": found, "seen": seen})


def _standalone() -> bool:
    """Whether a failed statement spoils nothing after it."""
    return not connection.in_atomic_block


def blocked(request: HttpRequest) -> HttpResponse:
    def refuse(*_: Any) -> Any:
        raise RuntimeError("no queries here")

    with connection.execute_wrapper(refuse):
        return JsonResponse({"outcome": outcome(Group.objects.count)})


def writes(request: HttpRequest) -> HttpResponse:
    group = Group.objects.create(name="written")
    group.name = "written again"
    group.save(update_fields=["name"])
    made, is_new = Group.objects.get_or_create(name="written again")
    bulk = Group.objects.bulk_create([Group(name=f"bulk {number}") for number in range(3)])
    changed = Group.objects.filter(name__startswith="bulk").update(name=F("name"))
    user = User.objects.get(username="ann")
    user.groups.add(group)
    user.groups.remove(group)
    duplicate = outcome(lambda: Group.objects.create(name="written again")) if _standalone() else None
    deleted = Group.objects.filter(name__startswith="bulk").delete()
    group.delete()
    return JsonResponse({"results": [made.name, is_new, len(bulk), changed, duplicate, deleted]})


def transactions(request: HttpRequest) -> HttpResponse:
    """Commits, rollbacks, savepoints, hooks; what is there at the end."""
    found: list[Any] = []
    with transaction.atomic():
        transaction.on_commit(lambda: note("on_commit", "outer", connection.in_atomic_block))
        Group.objects.create(name="kept")
        try:
            with transaction.atomic():
                transaction.on_commit(lambda: note("on_commit", "never"))
                Group.objects.create(name="dropped")
                raise LookupError("undo")
        except LookupError as error:
            found.append(describe(error))
        with transaction.atomic(savepoint=False):
            Group.objects.create(name="in the outer one")
        sid = transaction.savepoint()
        Group.objects.create(name="behind a savepoint")
        transaction.savepoint_rollback(sid)
        transaction.savepoint_commit(transaction.savepoint())
        found.append([transaction.get_autocommit(), connection.in_atomic_block, len(connection.savepoint_ids)])

        def failing_hook() -> None:
            note("on_commit", "robust, failing")
            raise RuntimeError("hook")

        transaction.on_commit(failing_hook, robust=True)
        transaction.on_commit(lambda: note("on_commit", Group.objects.filter(name="kept").count()))
    if _standalone():
        found.append(outcome(_durable))
        found.append(outcome(_nested_durable))
        found.append(outcome(_hook_fails))
    found.append(outcome(_broken))
    found.append(outcome(_marked))
    names = sorted(Group.objects.exclude(name__startswith="group").values_list("name", flat=True))
    Group.objects.filter(name__in=names).delete()
    return JsonResponse({"found": found, "names": names})


@transaction.atomic(durable=True)
def _durable() -> str:
    transaction.on_commit(lambda: note("on_commit", "durable"))
    return Group.objects.create(name="durable").name


@transaction.atomic
def _nested_durable() -> None:
    with transaction.atomic(durable=True):
        note("unreachable")


def _hook_fails() -> None:
    def fail() -> None:
        raise RuntimeError("hook")

    with transaction.atomic():
        Group.objects.create(name="kept though its hook fails")
        transaction.on_commit(fail)
        transaction.on_commit(lambda: note("on_commit", "not reached"))


@transaction.atomic
def _broken() -> None:
    try:
        with transaction.atomic(savepoint=False):
            Group.objects.create(name="broken")
            raise IntegrityError("marks the block for rollback")
    except IntegrityError:
        Group.objects.count()  # TransactionManagementError


@transaction.atomic
def _marked() -> bool:
    Group.objects.create(name="marked")
    transaction.set_rollback(True)
    return transaction.get_rollback()


def autocommit(request: HttpRequest) -> HttpResponse:
    transaction.set_autocommit(False)
    try:
        Group.objects.create(name="by hand")
        transaction.rollback()
        Group.objects.create(name="by hand")
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    return JsonResponse({"deleted": Group.objects.filter(name="by hand").delete()})


def rolled_back(request: HttpRequest) -> HttpResponse:
    """With ATOMIC_REQUESTS, nothing of it stays."""
    Group.objects.create(name="rolled back")
    transaction.on_commit(lambda: note("on_commit", "of a failed request"))
    raise DatabaseError("of the view")


def committed(request: HttpRequest) -> HttpResponse:
    transaction.on_commit(lambda: note("on_commit", "of a request"))
    count = Group.objects.filter(name="rolled back").delete()
    return JsonResponse({"in_atomic_block": connection.in_atomic_block, "deleted": count})


@transaction.non_atomic_requests
def non_atomic(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"in_atomic_block": connection.in_atomic_block, "count": Group.objects.count()})


async def async_orm(request: HttpRequest) -> HttpResponse:
    group, is_new = await Group.objects.aget_or_create(name="async")
    names = [each.name async for each in Group.objects.order_by("name")]
    counts = await asyncio.gather(*(Group.objects.acount() for _ in range(5)))
    wrong = await outcome_async(sync_unsafe)
    await sync_to_async(_in_transaction)()
    await group.adelete()
    return JsonResponse({"new": is_new, "names": names, "counts": counts, "unsafe": wrong})


async def sync_unsafe() -> int:
    return Group.objects.count()


@transaction.atomic
def _in_transaction() -> None:
    Group.objects.filter(name="async").update(name="async")
    transaction.on_commit(lambda: note("on_commit", "in a thread"))


def signals(request: HttpRequest) -> HttpResponse:
    """Receivers that raise: through send, and kept by send_robust."""
    found = []

    def raising(sender: Any, **_: Any) -> None:
        note("receiver", sender.__name__)
        raise LookupError("of a receiver")

    post_save.connect(raising, sender=Group)
    try:
        found.append(outcome(lambda: Group.objects.create(name="signalled")))
        found.append([repr(result) for _, result in post_save.send_robust(Group, instance=None)][-1])
    finally:
        found.append(post_save.disconnect(raising, sender=Group))
    Group.objects.filter(name="signalled").delete()
    return JsonResponse({"found": found})


def second_database(request: HttpRequest) -> HttpResponse:
    with connections["other"].cursor() as cursor:
        cursor.execute("SELECT 1")
    with transaction.atomic(using="other"):
        count = Group.objects.using("other").count()
    connections["other"].close()
    return JsonResponse({"count": count})


def broken_query(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(list(Group.objects.extra(where=["no_such_column = 1"]))))


def constraint(request: HttpRequest) -> HttpResponse:
    try:
        Group.objects.create(name="group 1")
    except Error as error:
        return JsonResponse({"error": describe(error), "cause": describe(error.__cause__)[:1]})
    return HttpResponse("no error", status=500)


def orphan(request: HttpRequest) -> HttpResponse:
    """A field's error in the middle of a save."""
    return JsonResponse(
        {
            "protected": outcome(lambda: Group(pk="no number").save()),
            "many": outcome(lambda: User.objects.get(username__startswith="u")),
            "none": outcome(lambda: User.objects.get(username="nobody")),
            "is_model": issubclass(Group, models.Model),
        }
    )


# -- cache --

_VALUES: tuple[Any, ...] = (None, False, 0, "", [], {}, 0.0, b"", "text", ("a", 1), {"key": None})


def _callable_default() -> str:
    note("default", "called")
    return "made"


def _none_default() -> None:
    note("default", "called")


def _with_value(this: BaseCache, key: str, value: Any) -> list[Any]:
    missing = object()
    return [
        outcome(lambda: this.set(key, value)),
        outcome(lambda: this.get(key)),
        outcome(lambda: this.get(key, "default")),
        this.get(key, missing) is missing,
        outcome(lambda: key in this),
        outcome(lambda: this.has_key(key)),
        outcome(lambda: this.add(key, "other")),
        outcome(lambda: this.get_or_set(key, _callable_default)),
    ]


async def _with_value_async(this: BaseCache, key: str, value: Any) -> list[Any]:
    return [
        await outcome_async(lambda: this.aset(key, value)),
        await outcome_async(lambda: this.aget(key)),
        await outcome_async(lambda: this.aget(key, "default")),
        await outcome_async(lambda: this.ahas_key(key)),
        await outcome_async(lambda: this.aadd(key, 1)),
        await outcome_async(lambda: this.aget_or_set(key, _callable_default)),
    ]


def cache(request: HttpRequest, alias: str) -> HttpResponse:
    """Every method of a cache, with values that are easily taken for a miss."""
    this: BaseCache = caches[alias]
    missing = object()
    found: list[Any] = [outcome(this.clear)]
    for number, value in enumerate(_VALUES):
        found += _with_value(this, f"key-{number}", value)
    found += [
        outcome(lambda: this.get("missing")),
        outcome(lambda: this.get("missing", "default")),
        outcome(lambda: this.get("missing", default=None)),
        this.get("missing", missing) is missing,
        outcome(lambda: this.get_or_set("made", _callable_default, 30)),
        outcome(lambda: this.get_or_set("made", _callable_default, 30)),
        outcome(lambda: this.get_or_set("none", _none_default)),
        outcome(lambda: this.get_or_set("none", None)),
        outcome(lambda: this.get_or_set("plain", 0, timeout=10, version=2)),
        outcome(lambda: sorted(this.get_many(["key-0", "key-1", "missing"]).items())),
        outcome(lambda: this.get_many([])),
        outcome(lambda: this.get_many(name for name in ("key-2", "key-3"))),
        outcome(lambda: this.set_many({"many-1": None, "many-2": 0}, timeout=60)),
        outcome(lambda: this.delete_many(name for name in ("many-1", "missing"))),
        outcome(lambda: this.get("many-1", "gone")),
        outcome(lambda: this.incr("missing")),
        outcome(lambda: this.decr("missing", 2)),
        outcome(lambda: this.set("number", 5)),
        outcome(lambda: this.incr("number")),
        outcome(lambda: this.incr("number", delta=10)),
        outcome(lambda: this.decr("number", 3)),
        outcome(lambda: this.set("text", "no number")),
        outcome(lambda: this.touch("number", 30)),
        outcome(lambda: this.touch("missing")),
        outcome(lambda: this.delete("number")),
        outcome(lambda: this.delete("number")),
        outcome(lambda: this.set("versioned", 1, version=2)),
        outcome(lambda: (this.get("versioned"), this.get("versioned", version=2))),
        outcome(lambda: this.incr_version("versioned", version=2)),
        outcome(lambda: this.decr_version("missing")),
        outcome(lambda: this.get("versioned", version=3)),
        outcome(lambda: this.set("expired", 1, timeout=0)),
        outcome(lambda: this.get("expired")),
        outcome(lambda: this.add("expired", 2, timeout=-1)),
        outcome(lambda: this.set("for ever", 1, None)),
        outcome(lambda: this.set("x" * 300, 1)),
        outcome(lambda: this.get("with\nnewline")),
        outcome(lambda: this.set("unpicklable", lambda: None)),
        outcome(this.get),
        outcome(lambda: this.set("key", unknown=1)),  # type: ignore[call-arg]
        outcome(lambda: this.get(key="key-8", default=1, version=None)),
        outcome(this.clear),
        outcome(lambda: this.get("key-8")),
        outcome(this.close),
        [
            type(this).__name__,
            type(this).__module__,
            this.get.__name__,
            this.set.__qualname__,
            isinstance(this, BaseCache),
        ],
        sorted(name for name in vars(type(this)) if not name.startswith("_")),
    ]
    return JsonResponse({"found": found})


async def cache_async(request: HttpRequest, alias: str) -> HttpResponse:
    """The async twins."""
    this: BaseCache = caches[alias]
    found: list[Any] = [await outcome_async(this.aclear)]
    for number, value in enumerate(_VALUES):
        found += await _with_value_async(this, f"key-{number}", value)
    found += [
        await outcome_async(lambda: this.aget("missing", "default")),
        await outcome_async(lambda: this.aget_or_set("made", _callable_default)),
        await outcome_async(lambda: this.aget_or_set("none", _none_default)),
        await outcome_async(lambda: this.aget_many(["key-0", "missing", "key-2"])),
        await outcome_async(lambda: this.aset_many({"a": 0, "b": None})),
        await outcome_async(lambda: this.adelete_many(["a", "missing"])),
        await outcome_async(lambda: this.aincr("missing")),
        await outcome_async(lambda: this.aincr("key-2", 4)),
        await outcome_async(lambda: this.adecr("key-2")),
        await outcome_async(lambda: this.atouch("key-2")),
        await outcome_async(lambda: this.atouch("missing")),
        await outcome_async(lambda: this.adelete("key-2")),
        await outcome_async(lambda: this.adelete("key-2")),
        await outcome_async(lambda: this.aincr_version("key-1")),
        await outcome_async(this.aclose),
    ]
    await this.aclear()
    return JsonResponse({"found": found})
