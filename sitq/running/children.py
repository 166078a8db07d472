"""The child processes of a worker as the worker sees them: started when needed, used again, killed when they must."""

import asyncio
import secrets
import signal
import sys

import cloudpickle

from sitq.context import Reporter
from sitq.core import Claim, Outcome
from sitq.exceptions import ConfigurationError
from sitq.retry import Retry
from sitq.running.frames import LENGTH, Frame, call_frame, decode_head, encode, outcome_of
from sitq.running.marked import MarkedStream
from sitq.running.spawning import ChildProcess, spawn
from sitq.serialization import CallSerializer

_PATIENCE = 0.5  # seconds between asking a child to end and killing it
_IDLE = 30.0  # seconds that a child waits for its next call before it is let go
_START = 60.0  # seconds that a child may take to be ready
_LONGEST_HEAD = 16 * 1024**2  # bytes; more was written by user code that took the connection for a file of its own
_FATAL = "Fatal Python error"
# What is heard of a child that died, let go of its connection, or had it written over by user code.
_SILENCE = (EOFError, OSError, ValueError, LookupError, TypeError)


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
        traceback_locals: have variables told in tracebacks.
    """

    def __init__(
        self, serializer: CallSerializer, *, max_tasks: int | None, captures: bool, traceback_locals: bool = False
    ) -> None:
        self._serializer = serializer
        self._max_tasks = max_tasks
        self._captures = captures
        self._traceback_locals = traceback_locals
        self._idle: list[Child] = []  # the one that has waited longest first
        self._all: set[Child] = set()
        self._starting: set[asyncio.Task[Child]] = set()
        self._loop = asyncio.get_running_loop()
        self._next_look: asyncio.TimerHandle | None = None

    async def take(self) -> "Child":
        """Give a child that waits, or start one.

        Raises:
            ConfigurationError: no child process can work here, or the serializer cannot be sent to one.
            OSError: no process can be started.
        """
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            child.end()
        starting = self._loop.create_task(self._start())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._keep)
            raise

    async def _start(self) -> "Child":
        serializer = self._pickled_serializer()
        child = Child(await spawn(captures=self._captures))
        self._all.add(child)
        child.ended.add_done_callback(lambda _: self._all.discard(child))
        await child.greet(serializer, traceback_locals=self._traceback_locals)
        return child

    def _keep(self, starting: "asyncio.Task[Child]") -> None:
        """Keep a child that has started for a call which was stopped meanwhile."""
        if not starting.cancelled() and starting.exception() is None:
            self.give_back(starting.result())

    def give_back(self, child: "Child") -> None:
        """Keep a child for the next call, unless it has had its share."""
        if not child.alive or child.calls == self._max_tasks:
            child.end()
            return
        child.idle_since = self._loop.time()
        self._idle.append(child)
        if self._next_look is None:
            self._next_look = self._loop.call_later(_IDLE, self._let_go_of_unused)

    async def close(self) -> None:
        """End all children, and what they have started."""
        while ends := {*self._starting, *(child.ended for child in self._all)}:
            for child in self._all:
                child.end()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self._next_look is not None:
            self._next_look.cancel()

    def _let_go_of_unused(self) -> None:
        while self._idle and self._idle[0].idle_since + _IDLE <= self._loop.time():
            self._idle.pop(0).end()
        self._next_look = None
        if self._idle:
            self._next_look = self._loop.call_at(self._idle[0].idle_since + _IDLE, self._let_go_of_unused)

    def _pickled_serializer(self) -> bytes:
        try:
            return bytes(cloudpickle.dumps(self._serializer))
        except Exception as exc:  # it may be of any class
            name = type(self._serializer).__name__
            raise ConfigurationError(f"serializer {name} cannot be sent to a process: {exc}") from exc


class Child:
    """One child; it runs one call at a time.

    Attributes:
        calls: how many it has been given.
        idle_since: when it was given back, by the loop's clock.
        ended: done when the process has ended and everything of it is closed.
        wait_after_timeout, wait_after_death: seconds until the next attempt of the call it runs, if it must be killed
            or dies; None when there is none.
    """

    def __init__(self, process: ChildProcess) -> None:
        self.calls = 0
        self.idle_since = 0.0
        self.wait_after_timeout: float | None = None
        self.wait_after_death: float | None = None
        self._process = process
        self._marker = secrets.token_hex(16)
        self._streams = [
            MarkedStream(name, output, self._marker)
            for name, output in zip(("stdout", "stderr"), process.outputs, strict=False)
        ]
        loop = asyncio.get_running_loop()
        self._gone = loop.create_task(process.wait())
        self._end_wanted = asyncio.Event()
        self._gone.add_done_callback(lambda _: self._end_wanted.set())
        self.ended = loop.create_task(self._end())

    @property
    def alive(self) -> bool:
        return not self._end_wanted.is_set() and not self._process.reader.at_eof()

    async def greet(self, serializer: bytes, *, traceback_locals: bool) -> None:
        """Tell the process what it needs, and wait until it is ready for calls. If it cannot be, it is ended.

        Raises:
            ConfigurationError: it ended at once, or is not ready in a minute.
        """
        marker = self._marker if self._streams else None
        hello = {"path": sys.path, "marker": marker, "traceback_locals": traceback_locals}
        try:
            self._process.writer.write(encode(hello, [serializer]))
            async with asyncio.timeout(_START):
                await self._read_frame()
        except _SILENCE as exc:
            await self.killed()
            last = self._last_words().strip().rpartition("\n")[2]
            raise ConfigurationError(f"a child process did not start: {last or 'it said nothing'}") from exc
        except BaseException:
            self.end()
            raise

    async def run(self, claim: Claim, reporter: Reporter) -> Outcome:
        """Run one call and give its outcome.

        Raises:
            ChildDiedError: the process ended in the middle of it.
        """
        self.calls += 1
        # Until the child has loaded the policy, only the number of attempts is known of it.
        wait = Retry(max_attempts=claim.max_attempts).wait_after(claim.failures + 1)
        self.wait_after_timeout = self.wait_after_death = wait
        for stream in self._streams:
            stream.begin(reporter)
        frame = encode(*call_frame(claim))
        try:
            self._process.writer.write(frame)
            await self._process.writer.drain()
            outcome = await self._outcome(reporter)
        except _SILENCE as exc:
            await asyncio.wait({self._gone}, timeout=_PATIENCE)
            how = _how_it_ended(self._process.process.returncode)
            await self.killed()
            raise ChildDiedError(how, self._fatal_error()) from exc
        for stream in self._streams:
            await stream.wait_marked()
        return outcome

    def end(self) -> None:
        """Ask the process and all that it has started to end, and kill what has not ended within half a second.

        It ends whether or not anybody waits for it.
        """
        self._end_wanted.set()

    async def killed(self) -> None:
        """End it, and wait until it has ended."""
        self.end()
        await asyncio.shield(self.ended)

    async def _end(self) -> None:
        try:
            await self._end_wanted.wait()
            self._process.writer.write(encode({"kind": "stop"}))
            self._process.send_signal(signal.SIGTERM)
            await asyncio.wait({self._gone}, timeout=_PATIENCE)
            self._process.send_signal(signal.SIGKILL)
            await asyncio.wait({self._gone}, timeout=_PATIENCE)  # one in the middle of a disk's work dies after it
            await asyncio.gather(*(stream.close() for stream in self._streams))
        finally:
            self._process.close()

    async def _outcome(self, reporter: Reporter) -> Outcome:
        while True:
            frame = await self._read_frame()
            facts, _ = frame
            match facts["kind"]:
                case "progress":
                    reporter.progress(*facts["progress"])
                case "waits":
                    self.wait_after_timeout, self.wait_after_death = facts["timeout"], facts["death"]
                case "outcome":
                    return outcome_of(frame)

    async def _read_frame(self) -> Frame:
        (length,) = LENGTH.unpack(await self._process.reader.readexactly(LENGTH.size))
        if length > _LONGEST_HEAD:
            raise ValueError(f"{length} bytes are no head of a frame")
        facts, lengths = decode_head(await self._process.reader.readexactly(length))
        return facts, [await self._process.reader.readexactly(size) for size in lengths]

    def _last_words(self) -> str:
        return self._streams[-1].tail if self._streams else ""

    def _fatal_error(self) -> str | None:
        _, found, text = self._last_words().rpartition(_FATAL)
        return found + text if found else None


def _how_it_ended(code: int | None) -> str:
    """Say what became of a process by its exit code, which is negative after a signal."""
    if code is None:
        return "let go of its connection to the worker"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    return f"was killed by signal {-code}{name}" + (", probably out of memory" if code == -signal.SIGKILL else "")
