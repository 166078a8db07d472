"""Makes a task of a call: everything that the producer knows, on its way into the store."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sitq.core import LOOP_EXECUTOR, Task, new_task_id, new_task_ids
from sitq.inputs import noting
from sitq.options import TaskOptions
from sitq.producer.preview import function_name, preview_arguments
from sitq.retry import RetriedCall, Retry
from sitq.serialization import CallSerializer, required_python
from sitq.validation import callable_object

CHUNK = 1000  # tasks in one transaction


class Packer:
    """Packs calls with one serializer.

    Raises:
        ValidationError: what is to be called is not callable.
        SerializationError: a call cannot become bytes.
        ResourceExhaustionError: its bytes are too many.
    """

    def __init__(self, serializer: CallSerializer) -> None:
        self._serializer = serializer
        self._seen: tuple[TaskOptions | None, dict[str, Any]] = (None, {})

    def pack(
        self, options: TaskOptions, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Task:
        needs: dict[str, None] = {}
        with noting(needs):
            payload = self._serializer.dumps_call(with_policy(func, options.retry), args, kwargs)
        return Task(
            id=new_task_id(),
            payload=payload,
            python=required_python(payload),
            arguments=preview_arguments(args, kwargs),
            needs=tuple(needs),
            **self._common(options, func),
        )

    def pack_many(self, options: TaskOptions, func: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Task]:
        payloads = self._serializer.dumps_many(with_policy(func, options.retry), calls)
        common = self._common(options, func)
        noted: dict[str, None] = {}
        with noting(noted):
            return [
                Task(
                    id=task_id,
                    payload=payload,
                    python=required_python(payload),
                    arguments=preview_arguments(args, {}),
                    needs=_taken(noted),
                    **common,
                )
                for task_id, args, payload in zip(new_task_ids(len(calls)), calls, payloads, strict=True)
            ]

    def _common(self, options: TaskOptions, func: Callable[..., Any]) -> dict[str, Any]:
        """Collect what all calls of one function with the same options share."""
        if options is not self._seen[0]:
            self._seen = (options, options.as_task_fields())
        return {
            **self._seen[1],
            "name": options.name or function_name(func),
            "executor": executor_of(func, asked=options.executor),
            "max_attempts": 1 if options.retry is None else options.retry.max_attempts,
        }


def with_policy(func: Callable[..., Any], retry: Retry | None) -> Callable[..., Any]:
    """Give what travels as the function: with its policy, if it has one."""
    callable_object(func)
    return func if retry is None else RetriedCall(func, retry)


def executor_of(func: Callable[..., Any], *, asked: str | None) -> str | None:
    """Tell where a function runs: where it was asked for, else on the loop if it is a coroutine function."""
    return asked or (LOOP_EXECUTOR if inspect.iscoroutinefunction(func) else None)


def _taken(noted: dict[str, None]) -> tuple[str, ...]:
    """Take what one call has noted, so that the next begins anew."""
    if not noted:
        return ()
    needs = tuple(noted)
    noted.clear()
    return needs
