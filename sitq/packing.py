"""Makes a task of a call: everything that the producer knows, on its way into the store."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sitq.core import LOOP_EXECUTOR, Task, new_task_id
from sitq.options import TaskOptions
from sitq.preview import function_name, preview_arguments
from sitq.retry import RetriedCall
from sitq.serialization import CallSerializer, required_python
from sitq.validation import callable_object


class Packer:
    """Packs calls with one serializer.

    Raises:
        ValidationError: what is to be called is not callable.
        SerializationError: a call cannot become bytes.
        ResourceExhaustionError: its bytes are too many.
    """

    def __init__(self, serializer: CallSerializer) -> None:
        self._serializer = serializer

    def pack(
        self, options: TaskOptions, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Task:
        payload = self._serializer.dumps_call(_with_policy(func, options), args, kwargs)
        return _task(options, func, payload, preview_arguments(args, kwargs))

    def pack_many(self, options: TaskOptions, func: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Task]:
        payloads = self._serializer.dumps_many(_with_policy(func, options), calls)
        return [
            _task(options, func, payload, preview_arguments(args, {}))
            for args, payload in zip(calls, payloads, strict=True)
        ]


def _with_policy(func: Callable[..., Any], options: TaskOptions) -> Callable[..., Any]:
    callable_object(func)
    return func if options.retry is None else RetriedCall(func, options.retry)


def _task(options: TaskOptions, func: Callable[..., Any], payload: bytes, arguments: str | None) -> Task:
    return Task(
        id=new_task_id(),
        name=options.name or function_name(func),
        payload=payload,
        queue=options.queue,
        priority=options.priority,
        eta=options.eta,
        delay=options.delay,
        expires=options.expires,
        timeout=options.timeout,
        max_attempts=1 if options.retry is None else options.retry.max_attempts,
        key=options.key,
        on_conflict=options.on_conflict,
        python=required_python(payload),
        executor=LOOP_EXECUTOR if inspect.iscoroutinefunction(func) else None,
        retention=options.retention,
        tags=options.tags,
        meta=options.meta,
        arguments=arguments,
    )
