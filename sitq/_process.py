"""Tells one process from another, also when a pid is used again: the ground of certain crash recovery."""

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process that can be asked about later.

    Attributes:
        host: name of the machine.
        pid: its number on that machine.
        token: what tells it from an earlier or later process with the same pid; "" where the system does not say.
    """

    host: str
    pid: int
    token: str

    def is_surely_dead(self) -> bool:
        """Tell whether the process has certainly ended. False also means: cannot be known from here."""
        if self.host != _host() or not self.token:
            return False
        boot, namespace, start = self.token.split("/")
        if boot != _boot_id():
            return True
        if namespace != _pid_namespace():
            return False
        try:
            return _start_time(self.pid) != start
        except FileNotFoundError:
            return not _exists(self.pid)
        except OSError:
            return False  # it may live: only the look at it failed


def this_process() -> ProcessIdentity:
    """Identify the running process."""
    pid = os.getpid()
    try:
        token = f"{_boot_id()}/{_pid_namespace()}/{_start_time(pid)}"
    except OSError:
        token = ""  # no /proc: its leases alone tell when it is dead
    return ProcessIdentity(_host(), pid, token)


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@cache
def _pid_namespace() -> str:
    return os.readlink("/proc/self/ns/pid").strip("pid:[]")


def _start_time(pid: int) -> str:
    """The moment a process started, in clock ticks since boot: field 22 of proc(5); "" for one that is a zombie.

    A zombie will never renew a lease.

    Raises:
        FileNotFoundError: there is no such process, or it is hidden from this user.
    """
    # The second field is the program's name in parentheses and may hold anything, so count from its end.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


def _exists(pid: int) -> bool:
    """Ask the kernel for a process whose entry in /proc is missing: with `hidepid` it may only be hidden."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
