"""Stores tasks again, as new tasks: the same call and options under another id."""

from collections.abc import Sequence

from sitq.backends.base import Backend
from sitq.core import Task, new_task_ids


async def store_again(backend: Backend, stored: Sequence[Task]) -> list[Task]:
    """Store a copy of each task, due at once, and give the copies back in order.

    Each notes in its meta which task it repeats. One whose key is held by an unfinished task goes in without a key.
    """
    copies = [_anew(task, task_id) for task, task_id in zip(stored, new_task_ids(len(stored)), strict=True)]
    answers = await backend.enqueue(copies)
    if held := [task for task, answer in zip(copies, answers, strict=True) if answer != task.id]:
        await backend.enqueue([task._replace(key=None) for task in held])
    return copies


def _anew(task: Task, task_id: str) -> Task:
    return task._replace(id=task_id, meta={**(task.meta or {}), "rerun_of": task.id})
