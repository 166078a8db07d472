"""Connecting: what cannot work is said in one sentence, and never with a password."""

import asyncio
import json
import secrets
import sys
from pathlib import Path

import pytest
from contract.builders import make_task, register, run_one, success
from nats import connect
from processes import Programs
from servers import Server, Servers, free_port, nats

from sitq.backends import backend_from_url
from sitq.backends.nats import NATSBackend
from sitq.backends.nats.schema import SCHEMA_VERSION
from sitq.exceptions import BackendError, ConfigurationError, ConnectionError, ResourceExhaustionError, SitqError
from sitq.views import TaskQuery


async def trouble_of(url: str, **options: bool) -> str:
    """Tell the one line with which connecting fails."""
    with pytest.raises(SitqError) as refusal:
        await NATSBackend(url, timeout=1.0, **options).connect()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("nats://localhost?colour=red", "the options of a NATS URL are prefix and replicas, got 'colour'"),
        ("nats://localhost?prefix=a.b", "prefix must be up to 64 letters, digits, - or _, got 'a.b'"),
        ("nats://localhost?replicas=9", "replicas must be 1 to 5, got '9'"),
        ("nats://?prefix=a", "a NATS URL names a server such as nats://localhost:4222"),
    ],
)
def test_url_that_cannot_be_right_is_refused(url: str, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text.replace(".", r"\.").replace("?", r"\?")):
        NATSBackend(url)


@pytest.mark.parametrize("scheme", ["nats", "tls"])
def test_url_makes_the_backend(scheme: str) -> None:
    assert isinstance(backend_from_url(f"{scheme}://localhost:4222"), NATSBackend)


async def test_unreachable_server_is_a_connection_error() -> None:
    url = f"nats://127.0.0.1:{free_port()}"

    with pytest.raises(ConnectionError, match=f"cannot reach the NATS server at {url}"):
        await NATSBackend(url, timeout=0.5).connect()


def start_with_password(tmp_path: Path) -> Server:
    server = nats.server(tmp_path, "--user", "ada", "--pass", "right")
    server.start()
    return server


async def test_password_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    server = start_with_password(tmp_path)
    host = server.url.removeprefix("nats://")
    try:
        wrong = await trouble_of(f"nats://ada:sesame@{host}")
        async with NATSBackend(f"nats://ada:right@{host}") as backend:
            shown = repr(backend)
    finally:
        server.stop()

    assert "sesame" not in wrong
    assert f"cannot reach the NATS server at nats://ada:***@{host}" in wrong
    assert shown == f"NATSBackend('nats://ada:***@{host}')"


RIGHTS = """
authorization { users = [ { user: ada, password: right, permissions: {
  publish: ["jobs.>", "$JS.API.>", "$JS.FC.>"], subscribe: ["_INBOX.>"] } } ] }
"""


async def test_user_with_the_rights_that_the_page_names_can_use_a_store(tmp_path: Path) -> None:
    (tmp_path / "rights.conf").write_text(RIGHTS)
    server = nats.server(tmp_path, "-c", tmp_path / "rights.conf")
    server.start()
    try:
        url = f"nats://ada:right@{server.url.removeprefix('nats://')}?prefix=jobs"
        async with NATSBackend(url) as backend:
            worker = await register(backend)
            claim = await run_one(backend, worker, key="k")
            assert await backend.finish([success(claim)]) == {claim.id}
            assert await backend.delete([claim.id]) == {claim.id}
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("url", "remote"),
    [
        ("nats://localhost:4222", False),
        ("nats://ada:secret@127.0.0.1", False),
        ("nats://localhost,nats.example.net:4222", True),
    ],
)
def test_store_is_remote_unless_all_its_servers_are_here(url: str, remote: bool) -> None:
    assert NATSBackend(url).remote is remote


def test_token_is_not_shown_either() -> None:
    assert repr(NATSBackend("nats://s3cret@localhost")) == "NATSBackend('nats://***@localhost')"


async def test_missing_store_is_refused_unless_it_may_be_made(url: str) -> None:
    assert "there is no store at" in await trouble_of(url, create=False)


async def test_stream_of_another_program_is_refused(servers: Servers) -> None:
    prefix = secrets.token_hex(8)
    await create_stream(servers.url("nats"), prefix, {})

    assert "is a stream of another program" in await trouble_of(f"{servers.url('nats')}?prefix={prefix}")


async def test_newer_schema_is_refused(servers: Servers) -> None:
    prefix = secrets.token_hex(8)
    await create_stream(servers.url("nats"), prefix, {"sitq.schema": str(SCHEMA_VERSION + 1)})

    text = await trouble_of(f"{servers.url('nats')}?prefix={prefix}")

    assert f"has schema version {SCHEMA_VERSION + 1}, this sitq knows {SCHEMA_VERSION}; upgrade" in text


async def create_stream(url: str, name: str, metadata: dict[str, str]) -> None:
    client = await connect(url)
    config = {"name": name, "subjects": [f"{name}.>"], "metadata": metadata}
    await client.request(f"$JS.API.STREAM.CREATE.{name}", json.dumps(config).encode())
    await client.close()


async def test_server_without_jetstream_is_refused(tmp_path: Path) -> None:
    server = nats.server(tmp_path)
    server._command.remove("-js")
    server.start()
    try:
        text = await trouble_of(server.url)
    finally:
        server.stop()

    assert "start it with -js" in text


async def test_read_only_backend_reads_and_refuses_to_change(url: str, backend: NATSBackend) -> None:
    task = make_task()
    await backend.enqueue([task])

    async with NATSBackend(url, read_only=True) as reader:
        listed = [info.id for info in await reader.list_tasks(TaskQuery())]
        with pytest.raises(BackendError, match="open for reading only"):
            await reader.cancel([task.id])

    assert listed == [task.id]


def test_backend_opens_again_on_a_new_loop(url: str) -> None:
    backend = NATSBackend(url)
    task = make_task()

    async def use() -> list[str]:
        async with backend:
            await backend.enqueue([task])
            return list(await backend.results([task.id]))

    assert [asyncio.run(use()) for _ in range(2)] == [[task.id]] * 2


async def test_twins_of_two_threads_share_the_store(url: str, backend: NATSBackend) -> None:
    task = make_task()

    async def enqueue() -> None:
        async with backend.twin() as twin:
            await twin.enqueue([task])

    await asyncio.to_thread(asyncio.run, enqueue())

    assert list(await backend.results([task.id])) == [task.id]


async def test_stores_of_two_prefixes_do_not_mix(servers: Servers, backend: NATSBackend) -> None:
    await backend.enqueue([make_task()])

    async with NATSBackend(f"{servers.url('nats')}?prefix={secrets.token_hex(8)}") as other:
        assert await other.list_tasks(TaskQuery()) == []


async def test_record_that_the_server_does_not_take_is_refused(backend: NATSBackend) -> None:
    with pytest.raises(ResourceExhaustionError, match="the NATS server takes 1048576 bytes a message"):
        await backend.enqueue([make_task(arguments="x" * 2_000_000)])

    assert (await backend.stats()).queues == ()


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")


@posix
def test_forked_child_is_refused_and_the_parent_goes_on(url: str, programs: Programs) -> None:
    program = programs.run("fork_a_child.py", url)

    *refusals, last = program.out.splitlines()
    assert [line.partition(":")[0] for line in refusals] == ["refused"] * 3
    assert all("forked child" in line for line in refusals)
    assert (last, program.err) == ("parent goes on", "")


@posix
def test_forked_child_that_opens_an_inherited_backend_leaves_the_parents_connection_alone(
    url: str, programs: Programs
) -> None:
    program = programs.run("fork_and_reuse.py", url)

    assert (program.process.returncode, program.err) == (0, "")
    assert program.out == "child True\nparent True\n"
