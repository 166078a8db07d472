"""What a worker holds: attempts that run, claims that wait for a slot, and outcomes to hand over."""

from collections.abc import Callable, Collection, Sequence

from sitq.core import Cause, Claim, Outcome
from sitq.running.attempts import Attempt
from sitq.running.outcomes import lost, stopped
from sitq.running.pacing import Pace

# Tasks that killed their worker this often are failed without running once more.
MAX_CRASHES = 3

PATIENCE = 0.2  # seconds that a claim waits behind running attempts, before it is given back for others to take


class Slots:
    """Starts what there is room for, in the order of the claims, and gathers what becomes of it.

    Args:
        count: attempts that run at once.
        start: begins an attempt, whose outcome is to come to `finish`.
        clock: tells seconds; the loop's own.

    Attributes:
        running: attempts by task id.
        outcomes: those to hand over.
    """

    def __init__(self, count: int, start: Callable[[Claim], Attempt], clock: Callable[[], float]) -> None:
        self.running: dict[str, Attempt] = {}
        self.outcomes: list[Outcome] = []
        self._count = count
        self._start = start
        self._clock = clock
        self._waiting: list[Claim] = []  # the next one last
        self._waiting_since = 0.0
        self._pace = Pace(count)
        self._closed = False

    @property
    def has_waiting(self) -> bool:
        """Tell whether a claim waits for a slot."""
        return bool(self._waiting)

    def room(self) -> int:
        """How many tasks to claim now: at most half of what may be held, so that one half runs while one comes."""
        if self._closed:
            return 0
        most = self._count + self._pace.ahead
        return min(most - len(self.running) - len(self._waiting), (most + 1) // 2)

    def take(self, claims: Sequence[Claim]) -> None:
        """Start what there is room for; the rest waits."""
        self._waiting = [*reversed(claims), *self._waiting]
        self._waiting_since = self._clock()
        self.fill()

    def fill(self) -> None:
        """Start what waits, as far as there is room."""
        while self._waiting and len(self.running) < self._count and not self._closed:
            claim = self._waiting.pop()
            if claim.crashes >= MAX_CRASHES:
                self.outcomes.append(lost(claim))
            else:
                self.running[claim.id] = self._start(claim)

    def finish(self, outcome: Outcome) -> bool:
        """Take the outcome of an attempt; False when the attempt was left behind."""
        if self.running.pop(outcome.id, None) is None:
            return False
        self.outcomes.append(outcome)
        self._pace.note(outcome.duration)
        return True

    def held(self) -> dict[str, int]:
        """Tell attempt by task id; called on any thread."""
        claims = [attempt.claim for attempt in list(self.running.values())] + list(self._waiting)
        return {claim.id: claim.attempt for claim in claims}

    def cancel(self, ids: Collection[str]) -> None:
        """Stop those that somebody cancelled or that others took over; an outcome of the latter is refused anyway."""
        for attempt in [attempt for task_id, attempt in self.running.items() if task_id in ids]:
            attempt.stop(Cause.CANCELLED)
        for claim in [claim for claim in self._waiting if claim.id in ids]:
            self._waiting.remove(claim)
            self.outcomes.append(stopped(claim, Cause.CANCELLED))

    def give_back_late(self) -> None:
        """Give back what has waited for too long, and claim nothing ahead of what runs: that takes at least as long."""
        if self._waiting and self._clock() - self._waiting_since > PATIENCE:
            self._pace.note(PATIENCE)
            self.give_back_waiting()

    def give_back_waiting(self) -> None:
        """Give back what has not begun."""
        self.outcomes += [stopped(claim, Cause.RELEASED) for claim in self._waiting]
        self._waiting = []

    def release_running(self) -> None:
        """Stop what runs, for others to run it."""
        for attempt in list(self.running.values()):
            attempt.stop(Cause.RELEASED)

    def leave_behind(self) -> None:
        """Give back what runs without waiting for its end."""
        self.outcomes += [stopped(attempt.claim, Cause.RELEASED) for attempt in self.running.values()]
        self.running.clear()

    def close(self) -> None:
        """Start nothing any more, and have no room."""
        self._closed = True
