"""How far a process stands behind others for the processor, also where each session is a group of its own."""

import os
import threading
import time
from pathlib import Path

_AUTOGROUP = Path("/proc/self/autogroup")
_TRIES, _REST = 20, 0.11  # the kernel takes one such wish of all users in a tenth of a second


def stand_back(by: int) -> None:
    """Let others go before this process and those that it starts, as `nice` does; where there is no such thing, not."""
    if hasattr(os, "nice"):
        os.nice(by)
        pass_on_niceness()


def pass_on_niceness() -> None:
    """Stand as far back as whoever started this process, which leads a session of its own.

    On Linux a session is often scheduled as a group, and niceness counts within it alone: beside two children that
    compute, a cell that does too kept 0.6 of its speed on two cores, and 0.9 when their groups were nice as well.
    """
    if hasattr(os, "nice") and os.nice(0) > 0 and _AUTOGROUP.exists():
        threading.Thread(target=_tell_group, args=(os.nice(0),), name="sitq-nice", daemon=True).start()


def _tell_group(niceness: int) -> None:
    for _ in range(_TRIES):
        try:
            _AUTOGROUP.write_text(str(niceness))
        except BlockingIOError:
            time.sleep(_REST)
        except OSError:
            return  # it is not ours to say
        else:
            return
