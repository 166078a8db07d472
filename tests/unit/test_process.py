"""A process is told from another one with the same pid, and its death is never claimed without proof."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sitq._process import ProcessIdentity, this_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems never prove a death here")

REPORT = (
    "import sys, time; from sitq._process import this_process; me = this_process();"
    "print(me.host, me.pid, me.token, flush=True); time.sleep(60)"
)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A process that says who it is and then sleeps."""
    with subprocess.Popen([sys.executable, "-c", REPORT], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def identity_of(child: subprocess.Popen[str]) -> ProcessIdentity:
    assert child.stdout is not None
    host, pid, token = child.stdout.readline().split()
    return ProcessIdentity(host, int(pid), token)


def test_this_process_names_its_pid() -> None:
    assert this_process().pid == os.getpid()


def test_this_process_is_the_same_each_time() -> None:
    assert this_process() == this_process()


def test_this_process_is_not_dead() -> None:
    assert not this_process().is_surely_dead()


def test_two_processes_differ(child: subprocess.Popen[str]) -> None:
    assert identity_of(child).token != this_process().token


def test_living_child_is_not_dead(child: subprocess.Popen[str]) -> None:
    assert not identity_of(child).is_surely_dead()


def test_stopped_child_is_not_dead(child: subprocess.Popen[str]) -> None:
    identity = identity_of(child)

    child.send_signal(signal.SIGSTOP)

    assert not identity.is_surely_dead()


def test_killed_child_is_dead_before_its_parent_reaps_it(child: subprocess.Popen[str]) -> None:
    identity = identity_of(child)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert identity.is_surely_dead()


def test_killed_child_is_dead_after_its_parent_reaped_it(child: subprocess.Popen[str]) -> None:
    identity = identity_of(child)
    child.kill()
    child.wait()

    assert identity.is_surely_dead()


def test_reused_pid_is_another_process() -> None:
    me = this_process()
    boot, namespace, start = me.token.split("/")

    predecessor = replace(me, token=f"{boot}/{namespace}/{int(start) - 1}")

    assert predecessor.is_surely_dead()


def test_process_of_an_earlier_boot_is_dead() -> None:
    me = this_process()
    _, namespace, start = me.token.split("/")

    assert replace(me, token=f"another-boot/{namespace}/{start}").is_surely_dead()


def test_process_on_another_host_is_never_surely_dead(child: subprocess.Popen[str]) -> None:
    identity = replace(identity_of(child), host="elsewhere")
    child.kill()
    child.wait()

    assert not identity.is_surely_dead()


def test_process_in_another_container_is_never_surely_dead() -> None:
    me = this_process()
    boot, _, start = me.token.split("/")

    assert not ProcessIdentity(me.host, 2**22, f"{boot}/another-namespace/{start}").is_surely_dead()


def test_process_without_a_token_is_never_surely_dead() -> None:
    assert not replace(this_process(), pid=2**22, token="").is_surely_dead()


def test_process_with_spaces_and_parentheses_in_its_name_is_not_dead() -> None:
    renamed = "import ctypes; ctypes.CDLL(None).prctl(15, b') Z 1 (x', 0, 0, 0);" + REPORT
    with subprocess.Popen([sys.executable, "-c", renamed], stdout=subprocess.PIPE, text=True) as child:
        dead = identity_of(child).is_surely_dead()
        child.kill()

    assert not dead


WITHOUT_FILES = """
import os, resource
from sitq._process import this_process
me = this_process()
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
print(me.is_surely_dead())
"""


def test_process_is_not_dead_because_this_one_has_run_out_of_file_descriptors() -> None:
    answer = subprocess.run([sys.executable, "-c", WITHOUT_FILES], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "False"
