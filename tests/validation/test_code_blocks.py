"""Every code block of README and docs runs as it stands, and prints what the page says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT, Block, blocks, pages
from servers import Servers

RUN_PAGE = Path(__file__).with_name("run_page.py")
PAGE = """\
# A
<!-- serves -->
```python title="a.py"
x = 1
```

- b

  ```python
  y
  ```

  ```text
  2
  ```
"""
NOT_RUN = 4  # blocks of all pages together that are not run; each says why


def _store_for(page: Path, servers: Servers) -> dict[str, str]:
    """Name an empty store on the server that the blocks of a page need."""
    kinds = {block.server for block in blocks(page, "python") if block.server is not None}
    return {"SITQ_STORE": servers.store(kinds.pop())} if kinds else {}


def _with(language: str) -> list[pytest.param]:
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages() if blocks(page, language)]


@pytest.mark.parametrize("page", _with("python"))
def test_python_blocks_of_a_page_run_in_order(page: Path, tmp_path: Path, servers: Servers) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", RUN_PAGE, page],
        cwd=tmp_path,
        env=os.environ | _store_for(page, servers),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to ask")
@pytest.mark.parametrize("page", _with("bash"))
def test_bash_blocks_of_a_page_parse(page: Path) -> None:
    for block in blocks(page, "bash"):
        checked = subprocess.run(["bash", "-n"], input=block.code, text=True, capture_output=True)
        assert checked.returncode == 0, f"{page}:{block.line}: {checked.stderr}"


def test_blocks_that_are_not_run_are_few_and_say_why() -> None:
    left_out = [(page, block) for page in pages() for block in blocks(page, "python") if block.not_run is not None]
    assert all(block.not_run for _, block in left_out), "write <!-- not-run: REASON -->"
    assert len(left_out) == NOT_RUN, [f"{page}:{block.line}: {block.not_run}" for page, block in left_out]


def test_a_page_is_read_with_its_titles_marks_and_outputs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert blocks(page, "python") == [
        Block("python", 4, "x = 1\n", "a.py", None, True, None, None),
        Block("python", 10, "y\n", None, "2\n", False, None, None),
    ]


def test_a_block_that_prints_something_else_than_the_page_says_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n")
    run = subprocess.run([sys.executable, RUN_PAGE, page], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode != 0 and "but prints\n1" in run.stderr
