"""The child processes of a worker as the worker sees them: started when needed, used again, killed when they must."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle

from sitq._frames import LENGTH, Frame, decode_head, encode
from sitq._marked import MarkedStream
from sitq.context import Reporter
from sitq.core import Cause, Claim, Outcome, TaskStatus
from sitq.exceptions import ConfigurationError
from sitq.retry import Retry
from sitq.serialization import CallSerializer

_PATIENCE = 0.5  # seconds between asking a child to end and killing it
_IDLE = 30.0  # seconds that a child waits for its next call before it is let go
_ROOT = str(Path(__file__).parent.parent)
_START = "import sys; sys.path.insert(0, {root!r}); from sitq._child import main; main({connection}, {lifeline})"
_FATAL = "Fatal Python error"


class ChildDiedError(Exception):
    """A child ended in the middle of a call; the message says how, as in "ended with exit code 3".

    Attributes:
        traceback: what Python wrote as it fell; None if it did not.
    """

    def __init__(self, how: str, traceback: str | None) -> None:
        super().__init__(how)
        self.traceback = traceback


class ChildPool:
    """Children that wait for calls, the one used last first. Made on the worker's loop.

    Args:
        serializer: reads calls and writes values in the children; it goes there by cloudpickle.
        max_tasks: calls after which a child is replaced; None means never.
        captures: read what calls print, for their reporters; without it the children print where the worker does.
    """

    def __init__(self, serializer: CallSerializer, *, max_tasks: int | None, captures: bool) -> None:
        self._serializer = serializer
        self._max_tasks = max_tasks
        self._captures = captures
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    async def take(self) -> "Child":
        """Give a child that waits, or start one.

        Raises:
            ConfigurationError: the serializer cannot be sent to a child.
            OSError: no process can be started.
        """
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            self._let_go(child)
        child = Child(self._captures)
        await child.start(self._pickled_serializer())
        self._all.add(child)
        return child

    def give_back(self, child: "Child") -> None:
        """Keep a child for the next call, unless it has had its share."""
        if not child.alive or child.calls == self._max_tasks:
            self._let_go(child)
        else:
            self._idle.append(child)
            self._loop.call_later(_IDLE, self._let_go_if_unused, child, child.calls)

    async def kill(self, child: "Child") -> None:
        """End a child in the middle of its call."""
        self._all.discard(child)
        await child.kill()

    async def close(self) -> None:
        """End all children, and what they have started."""
        for child in list(self._all):
            self._let_go(child)
        while self._ending:
            await asyncio.wait(self._ending)

    def _let_go_if_unused(self, child: "Child", calls: int) -> None:
        if child in self._idle and child.calls == calls:
            self._idle.remove(child)
            self._let_go(child)

    def _let_go(self, child: "Child") -> None:
        self._all.discard(child)
        ending = self._loop.create_task(child.close())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _pickled_serializer(self) -> bytes:
        try:
            return bytes(cloudpickle.dumps(self._serializer))
        except Exception as exc:  # it may be of any class
            name = type(self._serializer).__name__
            raise ConfigurationError(f"serializer {name} cannot be sent to a process: {exc}") from exc


class Child:
    """One child process; it runs one call at a time.

    Attributes:
        calls: how many it has been given.
        wait_after_timeout, wait_after_death: seconds until the next attempt of the call it runs, if it must be killed
            or dies; None when there is none.
    """

    def __init__(self, captures: bool) -> None:
        self.calls = 0
        self.wait_after_timeout: float | None = None
        self.wait_after_death: float | None = None
        self._captures = captures
        self._marker = secrets.token_hex(16)
        self._streams: list[MarkedStream] = []
        self._reporter: Reporter | None = None
        self._lifeline: int | None = None

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._reader.at_eof()

    async def start(self, serializer: bytes) -> None:
        """Start the process and wait until it is ready for calls.

        Raises:
            OSError: it cannot be started.
            ConfigurationError: it ended at once.
        """
        ours, theirs = socket.socketpair()
        lifeline, self._lifeline = os.pipe()
        output = subprocess.PIPE if self._captures else None
        try:
            with theirs, os.fdopen(lifeline):
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-c",
                    _START.format(root=_ROOT, connection=theirs.fileno(), lifeline=lifeline),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    pass_fds=(theirs.fileno(), lifeline),
                )
        except BaseException:
            ours.close()
            os.close(self._lifeline)
            raise
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        for name, pipe in (("stdout", self._process.stdout), ("stderr", self._process.stderr)):
            if pipe is not None:
                self._streams.append(MarkedStream(name, pipe, self._marker))
        try:
            self._writer.write(encode({"path": sys.path, "marker": self._marker}, [serializer]))
            await self._read_frame()
        except (EOFError, OSError) as exc:
            await self.kill()
            last = self._last_words().strip().rpartition("\n")[2]
            raise ConfigurationError(f"a child process did not start: {last or 'it ended at once'}") from exc
        except asyncio.CancelledError:
            await self.kill()
            raise

    async def run(self, claim: Claim, reporter: Reporter | None) -> Outcome:
        """Run one call and give its outcome.

        Raises:
            ChildDiedError: the process ended in the middle of it.
        """
        self.calls += 1
        # Until the child has loaded the policy, only the number of attempts is known of it.
        wait = Retry(max_attempts=claim.max_attempts).wait_after(claim.failures + 1)
        self.wait_after_timeout = self.wait_after_death = wait
        self._reporter = reporter
        for stream in self._streams:
            stream.begin(reporter)
        try:
            self._writer.write(_call_frame(claim))
            await self._writer.drain()
            outcome = await self._outcome()
        except (EOFError, OSError) as exc:
            await self.kill()
            raise ChildDiedError(_how_it_ended(self._process.returncode), self._fatal_error()) from exc
        for stream in self._streams:
            await stream.wait_marked()
        return outcome

    async def kill(self) -> None:
        """Ask the process and all that it has started to end, and kill what has not ended within half a second."""
        if self._lifeline is None:
            return  # it was killed before
        self._signal(signal.SIGTERM)
        await self._end()

    async def close(self) -> None:
        """Let a process that has nothing to do end by itself."""
        self._writer.close()
        await self._end()

    async def _end(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._process.wait()
        self._signal(signal.SIGKILL)  # the group, of which some may be left when the process itself has gone
        await self._process.wait()
        for stream in self._streams:
            await stream.close()
        self._writer.close()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            elif self._process.returncode is None:
                self._process.terminate()

    async def _outcome(self) -> Outcome:
        while True:
            facts, blobs = await self._read_frame()
            match facts["kind"]:
                case "progress" if self._reporter is not None:
                    self._reporter.progress(*facts["progress"])
                case "waits":
                    self.wait_after_timeout, self.wait_after_death = facts["timeout"], facts["death"]
                case "outcome":
                    return _outcome_of(facts["outcome"], blobs)

    async def _read_frame(self) -> Frame:
        (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
        facts, lengths = decode_head(await self._reader.readexactly(length))
        return facts, [await self._reader.readexactly(size) for size in lengths]

    def _last_words(self) -> str:
        return self._streams[-1].tail if self._streams else ""

    def _fatal_error(self) -> str | None:
        _, found, text = self._last_words().rpartition(_FATAL)
        return found + text if found else None


def _call_frame(claim: Claim) -> bytes:
    facts = claim._asdict()
    payload, inputs = facts.pop("payload"), (facts.pop("inputs") or {}).values()
    facts["scheduled_at"] = claim.scheduled_at and claim.scheduled_at.isoformat()
    told = [
        {"task_id": result.task_id, "status": result.status, "error": result.error, "traceback": result.traceback}
        for result in inputs
    ]
    return encode({"claim": facts, "inputs": told}, [payload, *(result.value or b"" for result in inputs)])


def _outcome_of(facts: dict[str, Any], blobs: Sequence[bytes]) -> Outcome:
    known = {**facts, "status": TaskStatus(facts["status"]), "cause": Cause(facts["cause"])}
    return Outcome(**{**known, "value": blobs[0] if blobs else None})


def _how_it_ended(code: int | None) -> str:
    """Say what became of a process by its exit code, which is negative after a signal."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    return f"was killed by signal {-code}{name}" + (", probably out of memory" if code == -signal.SIGKILL else "")
