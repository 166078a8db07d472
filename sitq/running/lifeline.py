"""Ends a child process with its worker, whatever the child is doing."""

import fcntl
import os
import select
import signal
import socket


def die_with_worker(lifeline: int, connection: socket.socket) -> None:
    """Have this group killed when the lifeline closes, also while C code keeps the GIL."""
    try:
        _ask_kernel(lifeline)
    except (AttributeError, OSError):  # only Linux has it
        _watch(lifeline, connection)


def _ask_kernel(lifeline: int) -> None:
    """Let Linux signal the group when something happens to the lifeline, and that is its end."""
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if has_news(lifeline):  # it came before
        _kill_group()


def _watch(lifeline: int, connection: socket.socket) -> None:
    """Leave a process behind that kills this group when the lifeline closes."""
    if os.fork() != 0:  # the interpreter is new: it has no thread yet that a fork could break
        os.close(lifeline)
        return
    connection.close()  # or the worker would not notice that this process's parent has died
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.read(lifeline, 1)
    _kill_group()


def has_news(fd: int, seconds: float = 0.0) -> bool:
    """Tell whether something can be read, or the other end is closed."""
    poll = select.poll()  # `select` itself takes no numbers above 1023
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def _kill_group() -> None:
    """Kill this process and all that it has started and that has stayed in its group."""
    os.killpg(0, signal.SIGKILL)
