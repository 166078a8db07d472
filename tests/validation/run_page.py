"""Runs the Python blocks of one page in order, in the current folder, as one program: `python run_page.py PAGE`.

They share one namespace and, where they await at top level as notebook cells do, one event loop. `SITQ_STORE` in the
environment takes the place of the URL in a block that needs a server.
"""

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import os
import re
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

from pages import Block, blocks

from sitq import Inspector, SitqError
from sitq.core import WorkerInfo

_SECONDS = 20
_LEEWAY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Page:
    """A page whose blocks are being run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.Runner()
        self._serving: dict[str, subprocess.Popen[str]] = {}
        self._main = types.ModuleType("__main__")
        sys.modules["__main__"] = self._main  # functions of the page are pickled as those of a script are

    def run(self) -> None:
        with self._loop:
            for block in blocks(self._path, "python"):
                if block.not_run is None:
                    self._run(block if block.server is None else _with_server(block))
        for name, process in self._serving.items():
            _wait_until_it_serves(process.pid)
            process.send_signal(signal.SIGTERM)
            assert process.wait(_SECONDS) == 0, f"{name} ended with {process.returncode}"

    def _run(self, block: Block) -> None:
        if block.title is not None:
            Path(block.title).write_text(block.code)
        if block.serves:
            assert block.title is not None, f"{self._path}:{block.line}: what serves is a file and has a title"
            self._serving[block.title] = subprocess.Popen([sys.executable, block.title], text=True)
        elif block.output is None:
            self._execute(block)
        else:
            self._compare(block, self._captured(block))

    def _captured(self, block: Block) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self._execute(block)
        return out.getvalue()

    def _execute(self, block: Block) -> None:
        if block.title is not None:
            command = [sys.executable, block.title]
            print(subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=_SECONDS, check=True).stdout)
            return
        # Blank lines above make the line numbers of a traceback those of the page.
        source = "\n" * (block.line - 1) + block.code
        code = compile(source, self._path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            self._loop.run(eval(code, self._main.__dict__))
        else:
            exec(code, self._main.__dict__)

    def _compare(self, block: Block, printed: str) -> None:
        assert block.output is not None
        if not doctest.OutputChecker().check_output(block.output, printed, _LEEWAY):
            raise AssertionError(f"{self._path}:{block.line} says\n{block.output}\nbut prints\n{printed}")


def _with_server(block: Block) -> Block:
    code, urls = re.subn(r'"[a-z]+://[^"]+"', repr(os.environ["SITQ_STORE"]), block.code)
    assert urls, f"line {block.line} names no server"
    return replace(block, code=code)


def _wait_until_it_serves(pid: int) -> None:
    """Wait until a worker of this process has registered with a store in the current folder."""
    deadline = time.monotonic() + _SECONDS
    while not any(worker.pid == pid for store in Path().glob("*.db") for worker in asyncio.run(_workers(store))):
        assert time.monotonic() < deadline, f"process {pid} did not begin to serve in {_SECONDS} s"
        time.sleep(0.05)


async def _workers(store: Path) -> tuple[WorkerInfo, ...]:
    try:
        async with Inspector(store) as inspector:
            return (await inspector.stats()).workers
    except SitqError:  # it is being made
        return ()


if __name__ == "__main__":
    Page(Path(sys.argv[1])).run()
