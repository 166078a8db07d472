"""How a Redis store is reached, and what is said when it cannot be."""

import logging
import socket
from collections.abc import Callable

import pytest
from contract.builders import claim_all, make_task, register, run_one, success
from servers import Server, Servers, free_port

from sitq.backends import backend_from_url
from sitq.backends.redis import RedisBackend
from sitq.exceptions import BackendError, ConfigurationError, ConnectionError, ResourceExhaustionError, ValidationError
from sitq.views import TaskQuery


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
async def test_url_names_the_server_and_the_prefix(servers: Servers, url: str, scheme: str) -> None:
    async with RedisBackend(url) as backend:
        await backend.enqueue([make_task(id="one")])

    async with backend_from_url(url.replace("redis", scheme, 1)) as again:
        assert list(await again.results(["one"])) == ["one"]
    async with RedisBackend(servers.url("redis"), prefix="another") as other:
        assert await other.results(["one"]) == {}


async def test_nobody_listens_is_one_sentence() -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}"

    with pytest.raises(ConnectionError, match=r"cannot reach redis://127.0.0.1:\d+ ") as refusal:
        await RedisBackend(url).connect()

    assert "\n" not in str(refusal.value)
    assert "secret" not in f"{refusal.value!r} {refusal.value.__cause__!r}"


async def test_unknown_host_is_one_sentence() -> None:
    with pytest.raises(ConnectionError, match=r"cannot reach redis://no-such-host\.invalid"):
        await RedisBackend("redis://no-such-host.invalid").connect()


async def test_server_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(ConnectionError, match="it does not answer"):
            await RedisBackend(f"redis://127.0.0.1:{port}", timeout=0.2).connect()


async def test_wrong_password_is_one_sentence(start_server: Callable[..., Server]) -> None:
    url = start_server("--requirepass", "right").url
    wrong = RedisBackend(url.replace("//", "//:wrong@"))

    with pytest.raises(ConnectionError, match="refused the login") as refusal:
        await wrong.connect()

    assert "wrong" not in f"{refusal.value} {wrong!r}"


async def test_missing_password_is_one_sentence(start_server: Callable[..., Server]) -> None:
    url = start_server("--requirepass", "right").url

    with pytest.raises(ConnectionError, match="refused the login"):
        await RedisBackend(url).connect()


async def test_right_password_is_taken(start_server: Callable[..., Server]) -> None:
    url = start_server("--requirepass", "right").url

    async with RedisBackend(url.replace("//", "//:right@")) as backend:
        assert (await backend.stats()).queues == ()


async def test_user_with_rights_on_the_prefix_alone_is_enough(start_server: Callable[..., Server]) -> None:
    url = start_server().url
    async with RedisBackend(url) as admin:
        rights = ("~{jobs}:*", "&{jobs}:*", "+@all", "-@admin", "-@dangerous", "+info")
        await admin._store.connection.command("ACL", "SETUSER", "ada", "on", ">right", *rights)

    async with RedisBackend(url.replace("//", "//ada:right@"), prefix="jobs") as backend:
        await run_one(backend, await register(backend))
        with pytest.raises(BackendError, match="does not permit what the store needs"):
            await RedisBackend(url.replace("//", "//ada:right@"), prefix="other").connect()


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:secret@host/name",
        "redis://host:port",
        "http://user:secret@host",
        "redis://host?db=x",
        "redis://user:secret@host?prefx=jobs",
    ],
)
def test_url_that_cannot_be_right_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="a Redis store's URL is like redis://") as refusal:
        RedisBackend(url)

    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("prefix", ["", "a b", "{a}"])
def test_prefix_that_cannot_be_right_is_refused(prefix: str) -> None:
    with pytest.raises(ValidationError, match="prefix must be text without braces and spaces"):
        RedisBackend("redis://localhost", prefix=prefix)


def test_timeout_must_be_positive() -> None:
    with pytest.raises(ValidationError, match="timeout must be more than 0 seconds, got 0"):
        RedisBackend("redis://localhost", timeout=0)


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("redis://localhost:7000", False),
        ("redis://127.0.0.1", False),
        ("redis://[::1]:6379", False),
        ("unix:///run/redis.sock", False),
        ("rediss://user:secret@jobs.example.net/2", True),
    ],
)
def test_remote_tells_whether_the_server_is_elsewhere(url: str, remote: bool) -> None:
    assert RedisBackend(url).remote is remote


def test_password_is_not_shown() -> None:
    backend = RedisBackend("rediss://user:secret@jobs.example.net/2?prefix=mail&ssl_password=secret")

    assert repr(backend) == "RedisBackend('rediss://jobs.example.net/2?ssl_password=***', prefix='mail')"


async def test_missing_store_is_refused_where_it_is_not_to_be_made(url: str) -> None:
    with pytest.raises(BackendError, match="holds no store of this prefix"):
        await backend_from_url(url, create=False).connect()

    async with RedisBackend(url):
        pass
    async with backend_from_url(url, create=False) as backend:
        assert (await backend.stats()).queues == ()


async def test_newer_schema_is_refused(url: str, backend: RedisBackend) -> None:
    await backend._store.connection.command("SET", f"{backend._address.base}schema", 99)

    with pytest.raises(BackendError, match="has schema version 99, this sitq knows 1; upgrade sitq-queue"):
        await RedisBackend(url).connect()


async def test_read_only_refuses_what_changes_tasks(url: str, backend: RedisBackend) -> None:
    await backend.enqueue([make_task(id="one")])

    async with backend_from_url(url, read_only=True) as reading:
        assert list(await reading.results(["one"])) == ["one"]
        with pytest.raises(BackendError, match="is open for reading only"):
            await reading.cancel(["one"])


async def test_functions_are_loaded_again_when_the_server_forgot_them(backend: RedisBackend) -> None:
    await backend.enqueue([make_task()])

    await backend._store.connection.command("FUNCTION", "FLUSH")

    await backend.enqueue([make_task()])
    assert len(await claim_all(backend, await register(backend))) == 2


async def test_server_that_keeps_nothing_is_told_of_once(
    start_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    url = start_server("--appendonly", "no", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru").url
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            async with RedisBackend(url):
                pass

    assert [record.getMessage() for record in caplog.records] == [
        f"{url} keeps tasks in memory only and loses them when it stops; set appendonly yes",
        f"{url} throws tasks away when its memory is full (allkeys-lru); set maxmemory-policy noeviction",
    ]


async def fill(backend: RedisBackend) -> None:
    for _ in range(20):
        await backend.enqueue([make_task(payload=b"x" * 1_000_000)])


async def test_server_without_memory_left_says_so_and_stores_nothing(start_server: Callable[..., Server]) -> None:
    async with RedisBackend(start_server("--maxmemory", "8mb").url) as backend:
        with pytest.raises(ResourceExhaustionError, match="has no memory left"):
            await fill(backend)

        stored = await backend.tasks([info.id for info in await backend.list_tasks(TaskQuery())])
        assert {len(task.payload) for task in stored.values()} == {1_000_000}


async def test_work_goes_on_without_memory_left(start_server: Callable[..., Server]) -> None:
    async with RedisBackend(start_server("--maxmemory", "8mb").url) as backend:
        worker = await register(backend)
        with pytest.raises(ResourceExhaustionError):
            await fill(backend)
        first, *others = await claim_all(backend, worker)

        assert await backend.finish([success(first)]) == {first.id}
        assert await backend.purge(older_than=0.0) == 1
        assert await backend.cancel([other.id for other in others]) == {other.id for other in others}
