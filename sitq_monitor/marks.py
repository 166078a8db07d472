"""Which tasks are marked: some by their ids, or all that a filter matches."""

from sitq_monitor.model import TaskId


class Marks:
    """Marked tasks, in the order in which they were marked.

    Attributes:
        are_all: all that the filter matches are marked, loaded or not.
    """

    def __init__(self) -> None:
        self.are_all = False
        self._ids: dict[TaskId, None] = {}

    def __contains__(self, task_id: TaskId) -> bool:
        return self.are_all or task_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def __bool__(self) -> bool:
        return self.are_all or bool(self._ids)

    @property
    def ids(self) -> tuple[TaskId, ...]:
        return tuple(self._ids)

    def turn(self, task_id: TaskId) -> None:
        """Mark a task, or take its mark away."""
        if self.are_all:
            self.clear()
        elif task_id in self._ids:
            del self._ids[task_id]
        else:
            self._ids[task_id] = None

    def mark_all(self) -> None:
        self.clear()
        self.are_all = True

    def clear(self) -> bool:
        """Take all marks away, and tell whether there were any."""
        had = bool(self)
        self.are_all = False
        self._ids.clear()
        return had
