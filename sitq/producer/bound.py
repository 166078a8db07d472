"""The verbs that take calls in, for the queue itself and for its views with options."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Any, ParamSpec, TypeVar, overload

from sitq.handle import TaskHandle
from sitq.options import GivenOptions
from sitq.producer.sending import Sender
from sitq.recurring import ScheduleInfo
from sitq.schedules import Recurrence

P = ParamSpec("P")
R = TypeVar("R")


class BoundQueue:
    """Takes calls in, and gives their tasks certain options: a view of a queue, or the queue, which was given none."""

    def __init__(self, sender: Sender, given: GivenOptions) -> None:
        self._sender = sender
        self._given = given

    def options(self, *, connection: object = None, **options: Any) -> "BoundQueue":
        """Make a view whose tasks get these options, beside those that this one gives them; see `TaskOptions`.

        Args:
            connection: a database connection of your own to the same store; its tasks exist exactly if the transaction
                that is open on it commits.

        Raises:
            ValidationError: there is no such option, or it cannot be right.
        """
        sender = self._sender if connection is None else self._sender.on(connection)
        return BoundQueue(sender, self._given.but(**options))

    @overload
    async def enqueue(
        self, func: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> TaskHandle[R]: ...
    @overload
    async def enqueue(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> TaskHandle[R]: ...
    @overload
    async def enqueue(
        self, func: Callable[..., Any], /, *args: Any, eta: datetime | None, **kwargs: Any
    ) -> TaskHandle[Any]: ...

    async def enqueue(  # type: ignore[misc]  # P.kwargs might hold an eta, which the third overload then takes
        self, func: Callable[..., Any], /, *args: Any, eta: datetime | None = None, **kwargs: Any
    ) -> TaskHandle[Any]:
        """Store a call, to be run by a worker.

        Args:
            func: any callable: a function, coroutine function, lambda, partial, bound method.
            eta: earliest start, a timezone-aware datetime; all other keywords go to `func`.

        Returns:
            The task's id, a string that can also be awaited for the value.

        Raises:
            ValidationError: `func` is not callable or `eta` is naive.
            SerializationError: the call cannot become bytes; the message names the object that is in the way.
            ResourceExhaustionError: the payload is too large or the disk is full.
        """
        return await self._sender.send(self._given, func, args, kwargs, eta)

    @overload
    async def enqueue_many(
        self, func: Callable[..., Coroutine[Any, Any, R]], args_list: Iterable[Sequence[Any]], /
    ) -> list[TaskHandle[R]]: ...
    @overload
    async def enqueue_many(
        self, func: Callable[..., R], args_list: Iterable[Sequence[Any]], /
    ) -> list[TaskHandle[R]]: ...

    async def enqueue_many(
        self, func: Callable[..., Any], args_list: Iterable[Sequence[Any]], /
    ) -> list[TaskHandle[Any]]:
        """Store many calls of one function, a thousand to a transaction: each thousand entirely or not at all.

        Args:
            args_list: a tuple of positional arguments for each call.

        Raises:
            ValidationError: `func` is not callable, or an item of `args_list` is no tuple.
        """
        return await self._sender.send_many(self._given, func, args_list)

    @overload
    async def map(
        self, func: Callable[..., Coroutine[Any, Any, R]], /, *iterables: Iterable[Any]
    ) -> list[TaskHandle[R]]: ...
    @overload
    async def map(self, func: Callable[..., R], /, *iterables: Iterable[Any]) -> list[TaskHandle[R]]: ...

    async def map(self, func: Callable[..., Any], /, *iterables: Iterable[Any]) -> list[TaskHandle[Any]]:
        """Store one call for each set of arguments, taken from the iterables side by side, as the builtin does."""
        return await self._sender.send_many(self._given, func, zip(*iterables, strict=False))

    async def schedule(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        name: str | None = None,
        cron: str | None = None,
        every: float | None = None,
        timezone: str | tzinfo | None = None,
        catch_up: str = "last",
        **kwargs: Any,
    ) -> ScheduleInfo:
        """Store a call that recurs: while any worker runs, a task is stored at each occurrence.

        A schedule of the same name is replaced. If both recur alike, it goes on as it was and fires no sooner.

        Args:
            func: as with `enqueue`; keywords other than those below go to it, and options come from `options(...)`.
            name: the schedule's name; that of the function unless given.
            cron: five fields such as "0 8 * * mon-fri"; give this or `every`.
            every: seconds from one occurrence to the next, counted from now.
            timezone: the zone in which cron is read, by IANA name; UTC unless given.
            catch_up: what fires when no worker ran: "last" the newest missed occurrence, "all" each of them, up to
                1,000, "none" nothing that is more than a minute late.

        Raises:
            ValidationError: an argument cannot be right.
            SerializationError: the call cannot become bytes.
        """
        recurrence = Recurrence(cron, every, timezone, catch_up)
        return await self._sender.schedule(self._given, func, args, kwargs, recurrence, name)
