"""A call becomes a task: bytes for the worker, and facts for who looks."""

import functools
import math
from typing import Any

import pytest

from sitq.core import LOOP_EXECUTOR
from sitq.exceptions import SerializationError, ValidationError
from sitq.options import TaskOptions
from sitq.producer.packing import Packer
from sitq.retry import Retry
from sitq.serialization import CloudpickleSerializer, JsonSerializer
from sitq.validation import text

NONE = TaskOptions()


@pytest.fixture
def packer() -> Packer:
    return Packer(CloudpickleSerializer())


async def send(to: str) -> None: ...


class Sender:
    async def send(self) -> None: ...

    async def __call__(self) -> None: ...


def test_payload_holds_the_call(packer: Packer) -> None:
    task = packer.pack(NONE, pow, (2,), {"exp": 3})

    assert CloudpickleSerializer().loads_call(task.payload) == (pow, (2,), {"exp": 3})


def test_task_tells_name_and_arguments(packer: Packer) -> None:
    task = packer.pack(NONE, math.pow, (2, 3), {})

    assert (task.name, task.arguments) == ("math.pow", "2, 3")


def test_name_that_was_given_is_kept(packer: Packer) -> None:
    assert packer.pack(NONE.changed(name="cube"), math.pow, (2, 3), {}).name == "cube"


def test_options_are_kept(packer: Packer) -> None:
    options = NONE.changed(queue="mail", priority=1, delay=2.0, timeout=3.0, key="k", tags=["a"], meta={"b": 1})

    task = packer.pack(options, abs, (1,), {})

    assert (task.queue, task.priority, task.delay, task.timeout, task.key) == ("mail", 1, 2.0, 3.0, "k")
    assert (task.tags, task.meta) == (("a",), {"b": 1})


@pytest.mark.parametrize("function", [send, functools.partial(send, to="you"), Sender().send])
def test_coroutine_functions_are_for_the_loop(function: Any, packer: Packer) -> None:
    assert packer.pack(NONE, function, (), {}).executor == LOOP_EXECUTOR


@pytest.mark.parametrize("function", [abs, lambda: send("you"), Sender()])
def test_where_all_others_run_is_left_to_the_worker(function: Any, packer: Packer) -> None:
    assert packer.pack(NONE, function, (), {}).executor is None


def test_coroutine_function_with_a_policy_is_for_the_loop(packer: Packer) -> None:
    assert packer.pack(NONE.changed(retry=3), send, (), {}).executor == LOOP_EXECUTOR


def test_without_a_policy_there_is_one_attempt(packer: Packer) -> None:
    assert packer.pack(NONE, abs, (1,), {}).max_attempts == 1


def test_policy_travels_and_tells_its_attempts(packer: Packer) -> None:
    policy = Retry(5)

    task = packer.pack(NONE.changed(retry=policy), abs, (1,), {})
    function, args, _ = CloudpickleSerializer().loads_call(task.payload)

    assert task.max_attempts == 5
    assert function.retry == policy  # type: ignore[attr-defined]
    assert function(*args) == 1


def test_code_by_value_needs_this_python(packer: Packer) -> None:
    assert packer.pack(NONE, lambda: None, (), {}).python is not None
    assert packer.pack(NONE, abs, (1,), {}).python is None


def test_each_task_has_an_id_of_its_own_in_order(packer: Packer) -> None:
    single = [packer.pack(NONE, abs, (1,), {}).id for _ in range(100)]
    many = [task.id for task in packer.pack_many(NONE, abs, [(1,)] * 100)]

    assert len({*single, *many}) == 200
    assert single + many == sorted(single + many)


def test_many_are_packed_as_one_is(packer: Packer) -> None:
    options = NONE.changed(queue="mail", retry=2)

    (many,) = packer.pack_many(options, math.pow, [(2, 3)])

    assert many._replace(id="") == packer.pack(options, math.pow, (2, 3), {})._replace(id="")


def test_options_that_change_are_noticed(packer: Packer) -> None:
    queues = [packer.pack(NONE.changed(queue=name), abs, (1,), {}).queue for name in ("a", "b", "a")]

    assert queues == ["a", "b", "a"]


def test_what_cannot_be_called_is_refused(packer: Packer) -> None:
    function: Any = "print"

    with pytest.raises(ValidationError, match="a task must be callable"):
        packer.pack(NONE, function, (), {})
    with pytest.raises(ValidationError, match="a task must be callable"):
        packer.pack_many(NONE, function, [])


def test_argument_that_cannot_be_packed_is_named(packer: Packer) -> None:
    with pytest.raises(SerializationError, match="generator"):
        packer.pack(NONE, abs, ((number for number in range(3)),), {})


def test_functions_can_be_sent_by_name() -> None:
    task = Packer(JsonSerializer()).pack(NONE, text, ("name", "value"), {})

    assert b"sitq.validation:text" in task.payload
    assert task.python is None
