"""Hours of work, told in a minute: workers are killed all the time, and neither memory nor the file grows.

SITQ_SOAK_SECONDS makes it longer; `pytest -m slow -s` prints what it sees.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import pytest
from processes import Program, Programs

SECONDS = float(os.environ.get("SITQ_SOAK_SECONDS", "60"))
MEBIBYTE = 1024**2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]


@dataclass(frozen=True, slots=True)
class Sample:
    """What stands at a moment: seconds since the start, MiB of the file, of its log and of each survivor's memory."""

    at: float
    kills: int
    file: float
    log: float
    memory: tuple[float, ...]

    def __str__(self) -> str:
        memory = " ".join(f"{size:6.1f}" for size in self.memory)
        return f"{self.at:7.0f} s {self.kills:5d} kills  file {self.file:6.2f}  wal {self.log:6.2f}  memory {memory}"


@dataclass
class Soak:
    """Two producers and a worker that live on, and two workers that are killed one after the other."""

    path: Path
    programs: Programs
    kills: int = 0
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.producers = [self.programs.start("soak_producer.py", self.path, first) for first in (0, 10**9)]
        self.steadfast = self._start_worker()
        self.victims = [self._start_worker(), self._start_worker()]

    def _start_worker(self) -> Program:
        return self.programs.start("worker.py", self.path, "--lease", 5)

    def run(self, seconds: float) -> None:
        """Kill a worker every few seconds, and look around every second."""
        chance, began, kill_at = random.Random(7), time.monotonic(), 4.0
        while (elapsed := time.monotonic() - began) < seconds:
            if elapsed >= kill_at:
                kill_at = elapsed + chance.uniform(1.0, 6.0)
                self._kill(chance.randrange(2))
            self.samples.append(self._look(elapsed))
            if len(self.samples) % max(1, round(seconds / 15)) == 1:
                print(self.samples[-1], flush=True)
            time.sleep(1.0)

    def _kill(self, place: int) -> None:
        self.victims[place].send(signal.SIGKILL)
        self.victims[place].wait()
        self.victims[place] = self._start_worker()
        self.kills += 1

    def _look(self, elapsed: float) -> Sample:
        log = self.path.with_name(f"{self.path.name}-wal")
        survivors = (*self.producers, self.steadfast)
        return Sample(elapsed, self.kills, _size(self.path), _size(log), tuple(map(_memory, survivors)))

    def end(self) -> Counter[str]:
        """Let the producers see their last batch through, and add up what they counted."""
        for producer in self.producers:
            producer.send(signal.SIGTERM)
        codes = [producer.wait(150.0) for producer in self.producers]
        assert codes == [0, 0], [producer.err for producer in self.producers]
        return sum((Counter(json.loads(producer.out)) for producer in self.producers), Counter())


def _size(path: Path) -> float:
    return path.stat().st_size / MEBIBYTE if path.exists() else 0.0


def _memory(program: Program) -> float:
    pages = int(Path(f"/proc/{program.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE


def quarter(samples: list[Sample], number: int) -> list[Sample]:
    width = len(samples) // 4
    return samples[width * (number - 1) : width * number]


def survivors(samples: list[Sample]) -> list[float]:
    """The mean memory of each process that is not killed."""
    return [mean(sizes) for sizes in zip(*(sample.memory for sample in samples), strict=True)]


def test_work_goes_on_for_ever_while_workers_are_killed(path: Path, programs: Programs) -> None:
    soak = Soak(path, programs)
    soak.run(SECONDS)
    counts = soak.end()
    print(f"{counts['tasks'] / SECONDS:.0f} tasks/s, {counts}")

    early, late = quarter(soak.samples, 2), quarter(soak.samples, 4)
    assert counts["tasks"] > 10 * SECONDS
    assert soak.kills > SECONDS / 8
    for before, after in zip(survivors(early), survivors(late), strict=True):
        assert after < before * 1.1 + 2, "the memory of a survivor grows"
    assert mean(sample.file for sample in late) < mean(sample.file for sample in early) * 1.25 + 1
    assert max(sample.log for sample in soak.samples) < 16
    assert soak.steadfast.process.poll() is None
    assert soak.steadfast.err == ""
