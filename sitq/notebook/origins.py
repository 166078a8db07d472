"""Which cell a task came from: the context of its submission, in which it runs so that it prints under that cell."""

import contextvars
from collections import OrderedDict
from collections.abc import Sequence

from sitq.context import hides_output
from sitq.core import Task

_KEPT = 10_000  # submissions


class Origins:
    """Remembers the contexts of the newest submissions."""

    def __init__(self) -> None:
        self._contexts: OrderedDict[str, contextvars.Context] = OrderedDict()

    def note(self, tasks: Sequence[Task]) -> None:
        """Note that this context submits tasks, before any worker can know of them."""
        context = contextvars.copy_context()
        for task in tasks:
            self._contexts[task.id] = context
        while len(self._contexts) > _KEPT:
            self._contexts.popitem(last=False)

    def context_of(self, task_id: str) -> contextvars.Context:
        """Give a context for a task: a copy of its submission's, or one that shows nothing in any cell."""
        context = self._contexts.get(task_id)
        if context is not None:
            return context.copy()
        nowhere = contextvars.Context()
        nowhere.run(hides_output.set, True)
        return nowhere
