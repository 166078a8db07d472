"""The side of a background worker that works, whichever kind it is: begun, begun anew in another way, and ended."""

import contextvars
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sitq._process import ProcessIdentity
from sitq.core import WorkerInfo
from sitq.exceptions import ConfigurationError, ValidationError, WorkerError
from sitq.notebook.client import Client, refuse_in_task
from sitq.notebook.display import say
from sitq.notebook.kept import KeptProcess, kept_among
from sitq.notebook.nesting import nesting_trouble
from sitq.notebook.process import WorkerProcess
from sitq.notebook.thread import WorkerThread
from sitq.sanitize import without_password
from sitq.validation import at_least_one, one_of

GRACE = 1.5  # seconds
_GOODBYE = 0.3  # seconds to give back what a blocked loop holds

Server = WorkerThread | WorkerProcess | KeptProcess


@dataclass(frozen=True, slots=True)
class Way:
    """How a store is to be served.

    Attributes:
        concurrency: how many tasks run at once.
        mode: "thread" or "process".
        on_kernel_exit: of a process: "drain" lets running tasks end, "stop" gives them back, "keep" goes on.

    Raises:
        ValidationError: one of them cannot be right, or they do not go together.
        ConfigurationError: this system cannot do that.
    """

    concurrency: int
    mode: str
    on_kernel_exit: str

    def __post_init__(self) -> None:
        at_least_one("concurrency", self.concurrency)
        one_of("mode", self.mode, ("thread", "process"))
        one_of("on_kernel_exit", self.on_kernel_exit, ("drain", "stop", "keep"))
        if self.on_kernel_exit == "keep" and self.mode != "process":
            raise ValidationError(
                f'on_kernel_exit="keep" needs mode="process", got mode={self.mode!r}: threads end with their process'
            )
        if self.on_kernel_exit == "keep" and sys.platform == "win32":
            raise ConfigurationError(
                'on_kernel_exit="keep" needs POSIX signals; on Windows start `sitq worker` beside it'
            )

    def __str__(self) -> str:
        return f"{self.mode}, concurrency {self.concurrency}"


class Service:
    """Serves a store in one way at a time.

    Args:
        path: the store's absolute path, or its URL.
        client: looks at the store and opens it; it is closed when the serving ends by itself.
        context_of: gives the context in which a task runs, by its id.
    """

    def __init__(self, path: str, client: Client, context_of: Callable[[str], contextvars.Context]) -> None:
        self._path = path
        self._shown = without_password(path)
        self._client = client
        self._context_of = context_of
        self._way: Way | None = None
        self._server: Server | None = None

    @property
    def running(self) -> bool:
        server = self._server
        return server is not None and server.alive

    @property
    def state(self) -> str:
        """What it is doing, in a few words."""
        server = self._server
        if server is not None and server.error is not None:
            return f"ended by {type(server.error).__name__}: {server.error}"
        if server is None or not server.alive:
            return "stopped"
        kept = f", kept as process {server.pid}" if isinstance(server, KeptProcess) else ""
        return f"running, concurrency {server.concurrency}{kept}"

    @property
    def worker_id(self) -> str | None:
        return None if self._server is None else self._server.worker_id

    @property
    def trouble(self) -> str:
        """Why it works no more, or not as it should; "" when all is well."""
        if not self.running:
            return f"worker {self.state}"
        trouble = None if self._server is None else self._server.trouble
        return "" if trouble is None else f"worker: {trouble}"

    def last_lines(self, count: int) -> list[str]:
        """Give the last lines that the worker has said of itself; nothing if it is stopped."""
        return [] if self._server is None else self._server.last_lines(count)

    def check_running(self) -> None:
        """Refuse what needs it to run.

        Raises:
            WorkerError: it does not.
        """
        if not self.running:
            raise WorkerError(
                f"the worker on {self._shown} is {self.state}; start_worker({self._shown!r}) starts it again"
            )

    def begin(self, way: Way) -> None:
        """Serve in this way from now on; if it does already, do nothing, and if in another way, say so.

        A process that was kept goes on as it is, until `end`.

        Raises:
            BackendError: the store cannot be opened.
            WorkerError: the process did not start.
        """
        if self.running and way == self._way:
            return
        server = self._make(way)
        self._retire(way)
        try:
            workers = self._workers()
            if (kept := kept_among(workers)) is not None:
                server = KeptProcess(self._path, way.concurrency, self._workers, found=kept)
            server.start()
        except BaseException:
            self._client.close()
            raise
        self._server, self._way = server, way
        if (trouble := nesting_trouble()) is not None:
            say(trouble)
        if kept is not None:
            goes_on = f"it goes on, concurrency {kept.max_concurrency}, until stop()"
            say(f"found the worker process {kept.pid} that was kept on {self._shown}; {goes_on}")
        for worker in filter(_died, workers):
            tasks = "task" if worker.running == 1 else "tasks"
            say(f"recovered {worker.running} {tasks} of process {worker.pid} (died)")

    def end(self, grace: float) -> None:
        """Claim no more, give running tasks time to end, and give the rest back. Ending twice is harmless.

        Args:
            grace: seconds for running tasks.
        """
        server, self._server = self._server, None
        if server is not None:
            server.stop(grace)

    def _retire(self, wanted: Way) -> None:
        """End what served so far, if there is something."""
        if self._server is None:
            return
        if self._server.alive:
            refuse_in_task("start_worker")
            mode = "thread" if isinstance(self._server, WorkerThread) else "process"
            before = f"{mode}, concurrency {self._server.concurrency}"
            say(f"worker on {self._shown}: {wanted} instead of {before}, starts anew")
            self.end(GRACE)
        else:
            say(f"worker on {self._shown}: {self.state}, starts anew")
            self.end(GRACE)
            self._client.close()

    def _make(self, way: Way) -> Server:
        if way.mode == "thread":
            return WorkerThread(self._path, way.concurrency, self._say_goodbye, self._context_of)
        if way.on_kernel_exit == "keep":
            return KeptProcess(self._path, way.concurrency, self._workers)
        return WorkerProcess(self._path, way.concurrency, drains=way.on_kernel_exit == "drain", workers=self._workers)

    def _workers(self) -> Sequence[WorkerInfo]:
        return self._client.call(self._client.queue.stats).workers

    def _say_goodbye(self, worker: WorkerInfo) -> None:
        self._client.call_within(_GOODBYE, self._client.queue.backend.heartbeat, worker, {}, lease=0.0)


def _died(worker: WorkerInfo) -> bool:
    """Tell whether a worker's process has ended and left tasks behind."""
    return worker.running > 0 and ProcessIdentity(worker.host, worker.pid, worker.process).is_surely_dead()
