"""The worker that a notebook starts: takes calls from cells, and runs them beside the kernel."""

from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Self, TypeVar, overload

from sitq.core import TaskStatus
from sitq.exceptions import TaskQueueError, ValidationError
from sitq.notebook.client import GLANCE, Client, refuse_in_task
from sitq.notebook.display import Glance, counts_text, worker_html, worker_text
from sitq.notebook.handle import LiveHandle, LiveHandles
from sitq.notebook.history import History
from sitq.notebook.origins import Origins
from sitq.notebook.screen import Screen
from sitq.notebook.service import GRACE, Service, Way
from sitq.notebook.submitting import BoundWorker, Submitter
from sitq.producer.bound import BoundQueue
from sitq.sanitize import without_password
from sitq.validation import at_least_one, not_negative, text
from sitq.views import Stats, TaskInfo, TaskQuery

R = TypeVar("R")


class BackgroundWorker:
    """Runs tasks of one store on threads of this process, and gives handles to cells; `start_worker` makes it.

    Two threads with loops of their own do the work, `sitq-client` and `sitq-worker`: nothing runs on the kernel's
    loop, and no thread holds up an exit.

    Args:
        path: the store's absolute path, or its URL.
    """

    def __init__(self, path: str) -> None:
        self.path = without_password(path)
        self._origins = Origins()
        self._client = Client(path, lambda: self.running, self._origins.note)
        self._service = Service(path, self._client, self._origins.context_of)
        self._screen = Screen()
        self._submitter = Submitter(self._client, self._service.check_running, self._screen.show_bar)
        self._history = History(self._client)

    @property
    def running(self) -> bool:
        """It is serving its store."""
        return self._service.running

    def start(self, *, concurrency: int, mode: str, on_kernel_exit: str) -> None:
        """Begin to serve. If it serves in another way already, it begins anew and says so.

        Args:
            concurrency: how many tasks run at once.
            mode: "thread" or "process".
            on_kernel_exit: of a process: "drain" lets running tasks end, "stop" gives them back, "keep" goes on.

        Raises:
            ValidationError: an argument cannot be right.
            BackendError: the store cannot be opened.
            WorkerError: the process did not start.
        """
        self._service.begin(Way(concurrency, mode, on_kernel_exit))

    def stop(self, grace: float = GRACE) -> None:
        """Claim no more, give running tasks time to end, give the rest back, and close. Stopping twice is harmless.

        Handles still tell what has ended; `start_worker` with the same path starts this worker again.

        Args:
            grace: seconds for running tasks.

        Raises:
            RuntimeError: called inside a task, which would wait for its own end.
        """
        refuse_in_task("stop")
        self._service.end(not_negative("grace", grace))
        self._screen.close()
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @overload
    def submit(
        self,
        func: Callable[..., Coroutine[Any, Any, R]],
        /,
        *args: Any,
        name: str | None = None,
        eta: datetime | None = None,
        after: str | Sequence[str] | None = None,
        on_failure: str | None = None,
        **kwargs: Any,
    ) -> LiveHandle[R]: ...
    @overload
    def submit(
        self,
        func: Callable[..., R],
        /,
        *args: Any,
        name: str | None = None,
        eta: datetime | None = None,
        after: str | Sequence[str] | None = None,
        on_failure: str | None = None,
        **kwargs: Any,
    ) -> LiveHandle[R]: ...

    def submit(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        name: str | None = None,
        eta: datetime | None = None,
        after: str | Sequence[str] | None = None,
        on_failure: str | None = None,
        **kwargs: Any,
    ) -> LiveHandle[Any]:
        """Store a call, which runs as soon as there is room.

        The function and its arguments are copied as they are now: what a cell changes later does not reach the task.
        A handle anywhere in the arguments stands for its task's value, and this task waits for it.

        Args:
            func: any callable, also a lambda or a function of a cell.
            name: what to find the task by, as in `w["train"]`; the function's name unless given.
            eta: earliest start, a timezone-aware datetime.
            after: tasks, as handles or ids, that must have ended before this one starts.
            on_failure: what becomes of this one if a task that it needs does not succeed: "cancel" it, as unless given,
                "fail" it, or "run". All other keywords go to `func`; `options` takes all that can be said of a task.

        Raises:
            ValidationError: `func` is not callable, or another argument cannot be right.
            SerializationError: the call cannot become bytes; the message names the object that is in the way.
            ResourceExhaustionError: the payload is too large or the disk is full.
            WorkerError: the worker is stopped.
        """
        bound = self._bound(name=name, after=after, on_failure=on_failure)
        return self._submitter.submit(bound, func, args, kwargs, eta)

    def map(self, func: Callable[..., Any], /, *iterables: Iterable[Any], name: str | None = None) -> LiveHandles[Any]:
        """Store one call for each set of arguments, taken from the iterables side by side, as the builtin does.

        While the panel is shown, see `show`, they get a bar of their own below this cell.
        """
        return self._submitter.map(self._bound(name=name), func, iterables)

    def options(self, **options: Any) -> BoundWorker:
        """Make a view of this worker whose tasks get these options; see `TaskOptions`.

        Raises:
            ValidationError: there is no such option, or it cannot be right.
        """
        return BoundWorker(self._submitter, self._client.queue.options(**options))

    def tasks(self, *, status: str | None = None, limit: int = 20) -> LiveHandles[Any]:
        """List the tasks of the store, newest first, whoever stored them.

        Args:
            status: only those.

        Raises:
            ValidationError: there is no such status, or `limit` is less than 1.
        """
        statuses = () if status is None else (_status(status),)
        return self._find(TaskQuery(statuses=statuses, limit=at_least_one("limit", limit)))

    def get(self, task_id: str) -> LiveHandle[Any]:
        """Take a task up again, for example after a restart of the kernel.

        Raises:
            TaskQueueError: there is no such task.
        """
        for handle in self._find(TaskQuery(ids=(str(task_id),), limit=1)):
            return handle
        raise TaskQueueError(f"there is no task {task_id!s} in {self.path}; tasks() lists the newest")

    def __getitem__(self, name: str) -> LiveHandle[Any]:
        """Take the newest task of that name up; `*` stands for any text."""
        for handle in self._find(TaskQuery(name=text("name", name), limit=1)):
            return handle
        raise KeyError(f"there is no task named {name!r} in {self.path}; tasks() lists the newest")

    def rerun(
        self, which: str | Collection[str] | TaskQuery, func: Callable[..., Any] | None = None
    ) -> LiveHandles[Any]:
        """Store the calls of tasks again as new tasks, with a corrected function if one is given.

        Args:
            which: handles or ids, or what they have in common, as in `TaskQuery(name="train*")`: then the failed ones.
        """
        self._service.check_running()
        tasks = self._client.call(self._client.queue.rerun, which, func)
        return LiveHandles(LiveHandle(task, self._client) for task in tasks)

    async def drain(self) -> None:
        """Wait until no task of the store is pending or running, the scheduled ones included.

        Raises:
            WorkerError: the worker is stopped.
        """
        await self._client.follow(self._client.idle)

    def join(self, timeout: float | None = None) -> None:
        """Do as `drain` does, and block.

        Args:
            timeout: seconds; None means as long as it takes.

        Raises:
            TimeoutError: the time is up; the tasks go on.
            WorkerError: the worker is stopped.
            RuntimeError: called inside a task, which would wait for its own end.
        """
        refuse_in_task("join")
        self._client.call(self._client.idle, None if timeout is None else not_negative("timeout", timeout))

    def __repr__(self) -> str:
        return worker_text(self.path, self._service.state, self._look())

    def _repr_html_(self) -> str:
        return worker_html(self.path, self._service.state, self._look(), datetime.now(UTC))

    def show(self) -> None:
        """Show the newest twenty tasks below this cell, live, with buttons to cancel and requeue.

        It works with ipywidgets; without them it is HTML that is drawn anew, and in a terminal one snapshot.
        """
        self._screen.show(self)

    def last(self) -> LiveHandle[Any]:
        """Take the newest task up.

        Raises:
            TaskQueueError: there is none.
        """
        for handle in self._find(TaskQuery(limit=1)):
            return handle
        raise TaskQueueError(f"there is no task in {self.path} yet; submit one")

    def cancel(self, task_id: str) -> bool:
        """Cancel a task, or ask it to stop; False when it has ended already."""
        return bool(self._client.call(self._client.queue.cancel, str(task_id)))

    def requeue(self, task_id: str) -> bool:
        """Run a task again after it failed or was cancelled; False in any other state."""
        return bool(self._client.call(self._client.queue.requeue, str(task_id)))

    def log(self, lines: int = 20) -> str:
        """Give the last lines that the worker has said of itself; what a task has written is in its handle's `output`.

        A process says when each task begins and ends, also in its log file beside the store. On threads these are
        warnings only, and more after `logging.getLogger("sitq").setLevel("INFO")`.

        Args:
            lines: how many.

        Raises:
            ValidationError: `lines` is less than 1.
        """
        return "\n".join(self._service.last_lines(at_least_one("lines", lines)))

    def look(self, limit: int) -> Glance | None:
        """Look at the newest tasks and the counts without waiting long; None when the store is too busy to tell."""
        tasks = self._client.call_within(GLANCE, self._client.queue.list_tasks, TaskQuery(limit=limit))
        trouble = self._service.trouble
        if tasks is None:
            return Glance((), trouble) if trouble else None
        return Glance(
            tasks,
            "; ".join(filter(None, (counts_text(self._look()), trouble))),
            usual=self._history.usual(tasks),
            worker=self._service.worker_id,
        )

    def _look(self) -> Stats | None:
        return self._client.call_within(GLANCE, self._client.queue.stats)

    def _bound(self, **given: Any) -> BoundQueue:
        return self._client.queue.options(**{name: value for name, value in given.items() if value is not None})

    def _find(self, query: TaskQuery) -> LiveHandles[Any]:
        found: list[TaskInfo] = self._client.call(self._client.queue.list_tasks, query)
        return LiveHandles(LiveHandle(info.id, self._client, info) for info in found)


def _status(status: str) -> TaskStatus:
    try:
        return TaskStatus(status)
    except ValueError as exc:
        raise ValidationError(f"status must be one of {', '.join(TaskStatus)}, got {status!r}") from exc
