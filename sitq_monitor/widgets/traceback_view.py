"""Writes a traceback for reading: own frames stand out, frames of libraries are folded, the error ends it in red."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from sitq.sanitize import Clean
from sitq_monitor.widgets.paint import Part

_FRAME = re.compile(r'^(?P<indent>[\s|]*)File "(?P<file>.*)", line (?P<line>\d+)(?:, in (?P<function>.*))?$')
_LIBRARY = re.compile(r"^.*[/\\](?:site-packages|dist-packages|lib[/\\]python3[.\d]*)[/\\]|^<frozen ")
_VARIABLE = re.compile(r"^[\s|]*\w+ = ")
"""A variable of a frame, which workers tell on request; the line of code comes before."""
_HEADERS = ("Traceback (most recent call last):", "During handling of", "The above exception was")


@dataclass
class Block:
    """A frame with its code, or lines between frames.

    Attributes:
        frame: None between frames.
    """

    frame: re.Match[str] | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def is_library(self) -> bool:
        return self.frame is not None and bool(_LIBRARY.match(self.frame["file"]))

    @property
    def is_own(self) -> bool:
        return self.frame is not None and not self.is_library


def traceback_parts(traceback: Clean, *, folded: bool = True) -> tuple[list[Part], list[Part]]:
    """Write a traceback in two pieces, of which the second begins with the last frame of the user's own.

    Args:
        folded: write of neighbouring library frames only how many they are.
    """
    blocks = _blocks(traceback)
    own = [place for place, block in enumerate(blocks) if block.is_own]
    cut = own[-1] if own else 0
    return list(_write(blocks[:cut], folded)), list(_write(blocks[cut:], folded, opens_on_own=bool(own)))


def _blocks(traceback: Clean) -> list[Block]:
    blocks: list[Block] = []
    for line in traceback.splitlines():
        frame = _FRAME.match(line)
        if frame is not None:
            blocks.append(Block(frame))
        elif blocks and blocks[-1].frame is not None and line.startswith((" ", "|")):
            blocks[-1].lines.append(line)
        else:
            blocks.append(Block(lines=[line]))
    return blocks


def _write(blocks: list[Block], folded: bool, *, opens_on_own: bool = False) -> Iterator[Part]:
    for is_library, group in groupby(blocks, key=lambda block: block.is_library):
        together = list(group)
        if is_library and folded:
            number = len(together)
            yield f"  ▸ {number} library frame{'s' if number > 1 else ''}", "faint"
            yield f"  {_library_name(together[-1])}\n", "faint"
            continue
        for place, block in enumerate(together):
            yield from _write_block(block, stands_out=opens_on_own and place == 0 and block is blocks[0])


def _write_block(block: Block, *, stands_out: bool) -> Iterator[Part]:
    if block.frame is not None:
        yield from _library_frame(block.frame) if block.is_library else _own_frame(block.frame, stands_out)
        yield "\n", ""
    for line in block.lines:
        yield f"{line}\n", _style_of(line, block)


def _style_of(line: str, block: Block) -> str:
    if block.is_library:
        return "faint"
    if block.frame is not None:
        return "muted" if _VARIABLE.match(line) and line != block.lines[0] else "name"
    return "muted" if line.strip(" |+-").startswith(_HEADERS) or not line.strip(" |+-") else "failed"


def _own_frame(frame: re.Match[str], stands_out: bool) -> Iterator[Part]:
    indent = frame["indent"]
    yield f"{indent[:-2]}▾ " if stands_out and len(indent) >= 2 else indent, "accent"
    yield f"{frame['file']}:{frame['line']}", "accent"
    if frame["function"]:
        yield " in ", "muted"
        yield frame["function"], "strong"


def _library_frame(frame: re.Match[str]) -> Iterator[Part]:
    function = f" in {frame['function']}" if frame["function"] else ""
    yield f"{frame['indent']}{_short(frame)}{function}", "faint"


def _library_name(block: Block) -> str:
    return f"… {_short(block.frame)}" if block.frame is not None else ""


def _short(frame: re.Match[str]) -> str:
    return f"{_LIBRARY.sub('', frame['file'])}:{frame['line']}"
