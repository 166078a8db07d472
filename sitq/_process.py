"""Tells one process from another, also when a pid is used again: the ground of certain crash recovery."""

import os
import socket
import sys
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
        return _start_time(self.pid) != start


def this_process() -> ProcessIdentity:
    """Identify the running process."""
    pid = os.getpid()
    start = _start_time(pid)
    return ProcessIdentity(_host(), pid, f"{_boot_id()}/{_pid_namespace()}/{start}" if start else "")


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id").strip()


@cache
def _pid_namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        return ""


def _start_time(pid: int) -> str | None:
    """The moment a process started, in clock ticks since boot (proc(5), field 22); None when there is none or no /proc.

    A zombie counts as ended: it will never renew a lease.
    """
    if sys.platform != "linux":
        return None
    # The second field is the program's name in parentheses and may hold anything, so count from its end.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
