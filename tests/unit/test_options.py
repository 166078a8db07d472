"""The options of a task, and what is said about those that cannot be right."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from typing import Any

import pytest

from sitq.core import OnConflict, Task
from sitq.exceptions import ValidationError
from sitq.options import TaskOptions
from sitq.retry import Retry

NONE = TaskOptions()
ETA = datetime(2030, 1, 1, tzinfo=UTC)


def test_options_not_given_are_those_of_a_task() -> None:
    assert NONE.as_task_fields() == {}


def test_fields_fit_a_task() -> None:
    options = NONE.changed(queue="mail", priority=2, delay=1.0, timeout=2.0, expires=3.0, retention=4.0, key="k")

    task = Task(id="1", name="name", payload=b"", **options.as_task_fields())

    assert (task.queue, task.priority, task.delay, task.timeout, task.expires, task.retention, task.key) == (
        *("mail", 2, 1.0, 2.0, 3.0, 4.0),
        "k",
    )


def test_change_leaves_the_others_and_the_original() -> None:
    first = NONE.changed(queue="mail", priority=1)

    second = first.changed(priority=2)

    assert (first.priority, second.priority, second.queue) == (1, 2, "mail")


def test_options_cannot_be_set() -> None:
    with pytest.raises(FrozenInstanceError):
        NONE.priority = 1  # type: ignore[misc]


def test_option_can_be_taken_back() -> None:
    options = NONE.changed(retry=3, meta={"a": 1}, key="k", timeout=1.0)

    assert options.changed(retry=None, meta=None, key=None, timeout=None) == NONE


def test_number_of_attempts_stands_for_a_policy() -> None:
    assert NONE.changed(retry=5).retry == Retry(max_attempts=5)


def test_policy_is_kept_as_it_is() -> None:
    policy = Retry(2, delay=0.0)

    assert NONE.changed(retry=policy).retry is policy


@pytest.mark.parametrize("word", ["return", "raise", "replace"])
def test_conflict_is_named_by_a_word(word: str) -> None:
    assert NONE.changed(on_conflict=word).on_conflict is OnConflict(word)


def test_tags_become_a_tuple() -> None:
    assert NONE.changed(tags=["a", "b"]).tags == ("a", "b")


def test_eta_alone_is_kept() -> None:
    assert NONE.changed(eta=ETA).eta is ETA


def test_eta_and_delay_are_refused_together() -> None:
    with pytest.raises(ValidationError, match="give eta or delay, not both"):
        NONE.changed(eta=ETA, delay=1.0)


@pytest.mark.parametrize(("wrong", "near"), [("prio", "priority"), ("time_out", "timeout"), ("tag", "tags")])
def test_unknown_option_is_refused_with_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(ValidationError, match=f"there is no option '{wrong}'; did you mean '{near}'"):
        NONE.changed(**{wrong: 1})


def test_unknown_option_without_a_near_one_is_refused_with_all() -> None:
    with pytest.raises(ValidationError, match="there is no option 'xyz'; known are queue, priority, eta"):
        NONE.changed(xyz=1)


WRONG = [
    ("queue", ""),
    ("queue", None),
    ("priority", 1.5),
    ("priority", "high"),
    ("priority", 2**63),
    ("eta", datetime(2030, 1, 1)),
    ("eta", 60),
    ("delay", -1),
    ("delay", float("inf")),
    ("delay", None),
    ("expires", 0),
    ("timeout", 0),
    ("timeout", "5"),
    ("retention", -1),
    ("retry", 0),
    ("retry", True),
    ("retry", "3"),
    ("retry", 2.5),
    ("key", ""),
    ("key", 5),
    ("on_conflict", "ignore"),
    ("on_conflict", None),
    ("tags", "word"),
    ("tags", [""]),
    ("tags", [1]),
    ("tags", None),
    ("tags", 5),
    ("meta", {"when": ETA}),
    ("meta", {"nan": float("nan")}),
    ("meta", [1]),
    ("meta", "text"),
    ("name", ""),
    ("name", "\udcff"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_value_that_cannot_be_right_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        NONE.changed(**{name: value})
    assert "\n" not in str(caught.value)


def test_meta_that_holds_itself_is_refused() -> None:
    meta: dict[str, Any] = {}
    meta["self"] = meta

    with pytest.raises(ValidationError, match="meta must be JSON-serializable"):
        NONE.changed(meta=meta)
