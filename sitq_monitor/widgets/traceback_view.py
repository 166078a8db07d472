"""Writes a traceback for reading: own frames stand out, frames of libraries step back, the error ends it in red."""

import re
from collections.abc import Iterator

from sitq.sanitize import Clean
from sitq_monitor.widgets.paint import Part

_FRAME = re.compile(r'^(?P<indent>\s*)File "(?P<file>.*)", line (?P<line>\d+)(?:, in (?P<function>.*))?$')
_LIBRARY = re.compile(r"^.*[/\\](?:site-packages|dist-packages|lib[/\\]python3[.\d]*)[/\\]|^<frozen ")
_HEADERS = ("Traceback (most recent call last):", "During handling of", "The above exception was")


def traceback_parts(traceback: Clean) -> Iterator[Part]:
    """Give each line its style, and write `File "a/b.py", line 7, in f` as `a/b.py:7 in f`, which is shorter."""
    own = True
    for line in traceback.splitlines():
        frame = _FRAME.match(line)
        if frame is not None:
            own = not _LIBRARY.match(frame["file"])
            yield from _own_frame(frame) if own else _library_frame(frame)
        elif line.startswith(" "):
            yield line, "name" if own else "faint"
        else:
            yield line, "muted" if line.strip().startswith(_HEADERS) else "failed"
        yield "\n", ""


def _own_frame(frame: re.Match[str]) -> Iterator[Part]:
    yield f"{frame['indent']}{frame['file']}:{frame['line']}", "accent"
    if frame["function"]:
        yield " in ", "muted"
        yield frame["function"], "strong"


def _library_frame(frame: re.Match[str]) -> Iterator[Part]:
    function = f" in {frame['function']}" if frame["function"] else ""
    yield f"{frame['indent']}{_LIBRARY.sub('', frame['file'])}:{frame['line']}{function}", "faint"
