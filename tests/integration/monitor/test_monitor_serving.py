"""The monitor in a browser: who has the token sees it, and nobody else."""

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from monitor_store import FilledStore

from sitq_monitor.__main__ import main
from sitq_monitor.serving import COOKIE, Place


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
async def address(store: FilledStore) -> AsyncIterator[str]:
    """The address that a server printed, with its token."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sitq_monitor", "--serve", str(unused_port()), str(store.path)),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    printed = re.search(r"http://\S+", line)
    assert printed, line
    yield await reachable(printed[0])
    process.terminate()
    await process.communicate()


async def reachable(address: str) -> str:
    """Wait until somebody listens."""
    port = int(address.split(":")[2].partition("/")[0])
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            await writer.wait_closed()
            break
    return address


def browser(**options: object) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), **options)


@pytest.mark.parametrize("path", ["/", "/ws", "/static/js/textual.js", "/?token=wrong", "/nothing"])
async def test_nothing_is_served_without_the_token(address: str, path: str) -> None:
    async with browser() as session, session.get(address.partition("/?")[0] + path) as answer:
        assert answer.status == 403
        assert "token" in await answer.text()


async def test_token_is_exchanged_for_a_cookie_and_leaves_the_address(address: str) -> None:
    async with browser() as session:
        async with session.get(address, allow_redirects=False) as answer:
            cookie = answer.cookies[COOKIE]
        async with session.get(address.partition("?")[0]) as page:
            policy = page.headers["Content-Security-Policy"]
            text = await page.text()

    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert cookie["httponly"] and cookie["samesite"] == "Strict"
    assert "default-src 'self'" in policy
    assert "sitq-monitor" in text


async def test_browser_with_the_token_is_shown_the_tasks(store: FilledStore, address: str) -> None:
    await store.enqueue("shown_in_the_browser")
    async with browser() as session:
        await (await session.get(address)).release()
        async with session.ws_connect(f"{address.partition('?')[0]}ws?width=120&height=30") as socket:
            seen = b""
            while b"shown_in_the_browser" not in seen:
                message = await socket.receive(timeout=20)
                seen += message.data if isinstance(message.data, bytes) else b""


async def test_page_of_another_site_is_refused(address: str) -> None:
    async with browser(headers={"Origin": "http://elsewhere.example"}) as session:
        await (await session.get(address)).release()
        async with session.get(f"{address.partition('?')[0]}ws") as answer:
            assert answer.status == 403


@pytest.mark.parametrize(
    ("text", "place", "is_private"),
    [
        ("8000", Place("127.0.0.1", 8000), True),
        ("localhost:80", Place("localhost", 80), True),
        ("[::1]:9", Place("::1", 9), True),
        ("0.0.0.0:8000", Place("0.0.0.0", 8000), False),
        ("example.org:8000", Place("example.org", 8000), False),
    ],
)
def test_place_is_private_unless_told_otherwise(text: str, place: Place, is_private: bool) -> None:
    assert Place.parse(text) == place
    assert place.is_private is is_private


@pytest.mark.parametrize("text", ["", "x", "localhost", "0", "70000", "host:x"])
def test_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        Place.parse(text)


def test_store_in_the_place_of_the_port_is_told_where_to_go(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--serve", "tasks.db"])

    assert "a place is a port or HOST:PORT, got 'tasks.db'; the store goes before --serve" in capsys.readouterr().err


async def test_store_that_is_missing_is_refused_before_anything_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = await asyncio.to_thread(main, ["--serve", "8000", str(tmp_path / "nothing.db")])

    assert code == 2
    assert "does not exist" in capsys.readouterr().err


async def test_place_that_is_taken_is_one_sentence(store: FilledStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "sitq_monitor", "--serve", port, str(store.path)],
            capture_output=True,
            text=True,
            check=False,
        )

    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "address already in use" in answer.stderr
