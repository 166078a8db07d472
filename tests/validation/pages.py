"""The code blocks of Markdown pages, and what a page says about them.

A block with `title="NAME"` is a file of that name, and is run as one. A text block right below a Python block is what
that prints, with `...` for what may differ. A comment may stand above a block: `<!-- serves -->`, it runs until it
is told to end; `<!-- server: KIND -->`, its URL is that of a server; `<!-- not-run: REASON -->`.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

_BLOCK = re.compile(
    r"""(?P<comment>^[ ]*<!--[ ](?P<mark>serves|server|not-run)(:[ ](?P<said>[^\n]+))?[ ]-->\n)?
        ^(?P<indent>[ ]*)```(?P<language>[a-z]+)([ ]title="(?P<title>[^"]+)")?[^\n`]*\n
        (?P<code>.*?)
        ^(?P=indent)```[ ]*$
        (\n*^(?P=indent)```text\n(?P<output>.*?)^(?P=indent)```[ ]*$)?""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        line: where its code begins in the page, from 1.
        title: the file that it is; None for code that is run as it stands.
        output: what it prints; None when the page does not say.
        serves: it runs until it is told to end.
        server: the kind of server that it needs, by the name that `Servers` has for it; None for most.
        not_run: why it is not run; None when it is.
    """

    language: str
    line: int
    code: str
    title: str | None
    output: str | None
    serves: bool
    server: str | None
    not_run: str | None


def pages() -> list[Path]:
    """List the pages that users read."""
    return [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("*/README.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[Block]:
    """List the blocks of a page in one language."""
    return [block for block in _read(page.read_text()) if block.language == language]


def _read(text: str) -> Iterator[Block]:
    for found in _BLOCK.finditer(text):
        output = found["output"]
        yield Block(
            language=found["language"],
            line=text.count("\n", 0, found.start("code")) + 1,
            code=textwrap.dedent(found["code"]),
            title=found["title"],
            output=None if output is None else textwrap.dedent(output),
            serves=found["mark"] == "serves",
            server=found["said"] if found["mark"] == "server" else None,
            not_run=(found["said"] or "") if found["mark"] == "not-run" else None,
        )
