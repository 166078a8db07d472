"""Starts the process of a child, and holds what ties it to its worker: connection, lifeline and what it prints."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sitq.exceptions import ConfigurationError

_ROOT = str(Path(__file__).parents[2])
# The child must be of the same sitq as its worker; but what lies beside that must hide no module of Python's own.
_START = """\
import logging, sys, typing
sys.path.insert(0, {root!r})
import sitq
sys.path.append(sys.path.pop(0))
from sitq.running.child import main
main({connection}, {lifeline})
"""

_lifelines: set[int] = set()  # of this process; a fork of it lets go of them, or children would outlive their worker


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildProcess:
    """A process in a session of its own, as its worker holds it.

    Attributes:
        reader, writer: the connection to it.
        outputs: what it prints to stdout and to stderr; empty when it prints where the worker does.
    """

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    outputs: Sequence[asyncio.StreamReader]
    lifeline: int
    pipes: Sequence[asyncio.ReadTransport]

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the process and what it has started, unless it has ended: then its number may be another's."""
        if self.process.returncode is None:
            self._signal_group(number)

    async def wait(self) -> None:
        """Wait for the end of the process, and end what it leaves behind, which may hold the connection open."""
        await self.process.wait()
        self._signal_group(signal.SIGKILL)

    def close(self) -> None:
        """Cut all ties. A process that still runs is killed by that."""
        if self.lifeline in _lifelines:
            _cut(self.lifeline)
            self.writer.transport.abort()
            for pipe in self.pipes:
                pipe.close()

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


async def spawn(*, captures: bool) -> ChildProcess:
    """Start a process that waits at its end of the connection.

    Args:
        captures: read what it prints.

    Raises:
        ConfigurationError: no child process can work here.
        OSError: the process cannot be started.
    """
    _check_place()
    with ExitStack() as ours, ExitStack() as theirs:
        near, far = socket.socketpair()
        ours.enter_context(near)
        theirs.enter_context(far)
        lifeline, far_lifeline = _lifeline(ours, theirs)
        pipes = [_pipe(ours, theirs) for _ in range(2 if captures else 0)]
        process = await _launch(far.fileno(), far_lifeline, [end for _, end in pipes])
        try:
            reader, writer = await asyncio.open_connection(sock=near)
            ours.callback(writer.transport.abort)
            outputs = [await _read_from(pipe, ours) for pipe, _ in pipes]
        except BaseException:
            process.kill()
            await process.wait()
            raise
        ours.pop_all()
    return ChildProcess(
        process=process,
        reader=reader,
        writer=writer,
        outputs=[output for output, _ in outputs],
        lifeline=lifeline,
        pipes=[transport for _, transport in outputs],
    )


def _check_place() -> None:
    if sys.platform == "win32":
        raise ConfigurationError('executor "process" needs POSIX, got Windows; use executor="thread"')
    if getattr(sys, "frozen", False):  # its executable is the program itself, which would start once more
        raise ConfigurationError(
            f'executor "process" needs a Python interpreter, got the frozen program {sys.executable}; '
            'use executor="thread"'
        )


async def _launch(connection: int, lifeline: int, outputs: Sequence[int]) -> asyncio.subprocess.Process:
    stdout, stderr = outputs or (None, None)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # the working folder is no place for modules
        "-c",
        _START.format(root=_ROOT, connection=connection, lifeline=lifeline),
        stdin=subprocess.DEVNULL,
        stdout=stdout,  # pipes of our own: asyncio's would make waiting for the process wait for whoever holds them
        stderr=stderr,
        start_new_session=True,
        pass_fds=(connection, lifeline),
    )


def _lifeline(ours: ExitStack, theirs: ExitStack) -> tuple[int, int]:
    far, near = os.pipe()
    theirs.callback(os.close, far)
    _lifelines.add(near)
    ours.callback(_cut, near)
    return near, far


def _cut(lifeline: int) -> None:
    _lifelines.discard(lifeline)
    os.close(lifeline)


def _pipe(ours: ExitStack, theirs: ExitStack) -> tuple[BinaryIO, int]:
    near, far = os.pipe()
    theirs.callback(os.close, far)
    return ours.enter_context(os.fdopen(near, "rb", buffering=0)), far


async def _read_from(pipe: BinaryIO, ours: ExitStack) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    ours.callback(transport.close)
    return reader, transport


def _let_go() -> None:
    while _lifelines:
        os.close(_lifelines.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
