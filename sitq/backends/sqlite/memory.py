"""A store that lives in the memory of this process and is gone with it, for tests."""

import itertools
import time
from collections.abc import Callable

from sitq.backends.sqlite.backend import SQLiteBackend
from sitq.backends.sqlite.files import MEMORY

_numbers = itertools.count(1)


class MemoryBackend(SQLiteBackend):
    """Keeps tasks in memory, by the very statements that a file gets, while any backend of its name is open.

    Args:
        name: all backends of a name share one store; unless given, this one and its twins have one of their own.
        clock: tells seconds since the epoch, see `SQLiteBackend`.
    """

    def __init__(self, name: str | None = None, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(f"{MEMORY}{f'#{next(_numbers)}' if name is None else name}", clock=clock)
        self._clock = clock

    def __repr__(self) -> str:
        return f"MemoryBackend({self._name!r})"

    @property
    def _name(self) -> str:
        return self.path.removeprefix(MEMORY)

    def twin(self) -> "MemoryBackend":
        return MemoryBackend(self._name, clock=self._clock)
