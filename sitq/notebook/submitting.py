"""How calls of a cell become tasks of the store, and live handles of these."""

from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime
from typing import Any, TypeVar, overload

from sitq.notebook.client import Client
from sitq.notebook.handle import LiveHandle, LiveHandles
from sitq.producer.bound import BoundQueue

R = TypeVar("R")


class Submitter:
    """Stores calls, while the worker runs.

    Args:
        check: refuses to store anything now, by raising.
        on_map: called with the handles of each map.
    """

    def __init__(self, client: Client, check: Callable[[], None], on_map: Callable[[LiveHandles[Any]], object]) -> None:
        self._client = client
        self._check = check
        self._on_map = on_map

    def submit(
        self,
        bound: BoundQueue,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        eta: datetime | None,
    ) -> LiveHandle[Any]:
        self._check()
        return LiveHandle(self._client.call(bound.enqueue, func, *args, eta=eta, **kwargs), self._client)

    def map(self, bound: BoundQueue, func: Callable[..., Any], iterables: Iterable[Iterable[Any]]) -> LiveHandles[Any]:
        self._check()
        handles: LiveHandles[Any] = LiveHandles(
            LiveHandle(task, self._client) for task in self._client.call(bound.map, func, *iterables)
        )
        self._on_map(handles)
        return handles


class BoundWorker:
    """A view of a background worker whose tasks get certain options."""

    def __init__(self, submitter: Submitter, bound: BoundQueue) -> None:
        self._submitter = submitter
        self._bound = bound

    def options(self, **options: Any) -> "BoundWorker":
        """Change some of the options."""
        return BoundWorker(self._submitter, self._bound.options(**options))

    @overload
    def submit(
        self, func: Callable[..., Coroutine[Any, Any, R]], /, *args: Any, eta: datetime | None = None, **kwargs: Any
    ) -> LiveHandle[R]: ...
    @overload
    def submit(
        self, func: Callable[..., R], /, *args: Any, eta: datetime | None = None, **kwargs: Any
    ) -> LiveHandle[R]: ...

    def submit(
        self, func: Callable[..., Any], /, *args: Any, eta: datetime | None = None, **kwargs: Any
    ) -> LiveHandle[Any]:
        """As `BackgroundWorker.submit`, but that all keywords except `eta` go to `func`."""
        return self._submitter.submit(self._bound, func, args, kwargs, eta)

    def map(self, func: Callable[..., Any], /, *iterables: Iterable[Any]) -> LiveHandles[Any]:
        """As `BackgroundWorker.map`."""
        return self._submitter.map(self._bound, func, iterables)
