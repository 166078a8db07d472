"""Programs that tests run as processes of their own; what is still running ends with its test."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "tests" / "integration" / "programs"


class Program:
    """A script of `tests/integration/programs` in a process of its own."""

    def __init__(self, script: str, arguments: tuple[object, ...], folder: Path) -> None:
        self._out, self._err = folder / "stdout", folder / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, script if script == "-m" else PROGRAMS / script, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, timeout: float = 20.0) -> int:
        """Wait for the end and give back the exit code."""
        return self.process.wait(timeout)

    def wait_for_output(self, text: str, timeout: float = 20.0) -> None:
        """Wait until the program has printed this."""
        deadline = time.monotonic() + timeout
        while text not in self.out:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.err}"
            assert time.monotonic() < deadline, f"did not print {text!r} in {timeout} s: {self.out}{self.err}"
            time.sleep(0.01)

    def end(self) -> None:
        """End it by force if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Programs:
    """Starts programs, and ends at the end of the test what has not ended by itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Program] = []

    def start(self, script: str, *arguments: object) -> Program:
        folder = self._folder / f"program-{len(self._started)}"
        folder.mkdir()
        self._started.append(Program(script, arguments, folder))
        return self._started[-1]

    def start_module(self, module: str, *arguments: object) -> Program:
        """Start a module as a program, as `python -m` does."""
        return self.start("-m", module, *arguments)

    def start_worker(self, store: object, **options: object) -> Program:
        """Start a worker on a store, with options of `worker.py`, and wait until it serves."""
        arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
        worker = self.start("worker.py", store, *arguments)
        worker.wait_for_output("started")
        return worker

    def run(self, script: str, *arguments: object, timeout: float = 10.0) -> Program:
        """Start a program and wait for its end."""
        program = self.start(script, *arguments)
        program.wait(timeout)
        return program

    def end(self) -> None:
        for program in self._started:
            program.end()
