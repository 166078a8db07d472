"""The notebooks run from top to bottom in a real kernel, and show what they say."""

import os
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from servers import Servers

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# In the order in which a notebook's outputs must show them.
SHOWN = {
    "01_quickstart": [
        "<BackgroundWorker on ",
        "first model: ",
        "('page 7', 144, {'epochs': 4, 'loss': 0.25})",
        "ZeroDivisionError: division by zero\nTraceback",
        "in divide",
        "return a / b",
        "<table>",
        "['page 0',\n 'page 1',",
        "'page 7']",
        "{'epochs': 4, 'loss': 0.25}",
        "fetch: success",
        "running, concurrency 4, 11 success, 1 failed",
    ],
    "02_background_jobs": [
        "[190, 780, 1770, 3160]",
        "(Progress(done=20.0, total=20.0, message='crunching'), '20 rounds done\\n')",
        "11800",
        "TaskCancelledError",
        "ZeroDivisionError",
        "replayed: ",
        "[100.0, 100.0]",
        "180",
    ],
    "03_processes_and_cpu": [
        "(3, [2262, 2262])",
        "TaskCancelledError",
        "its process ended with exit code 3",
        "4",
    ],
    "04_reattach_after_restart": [
        "{'epochs': 1}",
        "recovered 2 tasks of process ",
        "({'epochs': 1}, {'epochs': 2}, {'epochs': 3})",
        "(2, 'training 1\\n')",
        "long 3",
    ],
    "05_scale_out": [
        "6 tasks wait in laptop.db",
        "copied: 6 unfinished, 0 ended tasks, 0 schedules",
        "[3, 24, 47, 72, 2, 31]",
        "[3, 24, 47, 72, 2, 31]",
        "[2, 2, 2]",
        "[0, 0]",
    ],
}


def run(notebook: Path, folder: Path, store: str) -> NotebookNode:
    """Run a notebook in a folder, on a kernel of this interpreter; a notebook that wants a server gets this store."""
    content = nbformat.read(notebook, as_version=4)
    specs = KernelSpecManager(kernel_dirs=[])  # leaves the spec that ipykernel makes for this interpreter
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    client = NotebookClient(content, km=manager, timeout=60, resources={"metadata": {"path": str(folder)}})
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1", "SITQ_STORE": store}
    return client.execute(env=environment, cleanup_kc=True)


def texts_of(content: NotebookNode) -> str:
    """Join all that the cells printed and showed, in order."""
    outputs = [output for cell in content.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.get("text") or "\n".join(filter(_is_text, output.data.values())) for output in outputs)


def _is_text(data: object) -> bool:
    return isinstance(data, str)


def test_every_notebook_says_what_it_shows() -> None:
    assert {notebook.stem for notebook in NOTEBOOKS} == set(SHOWN)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_notebook_is_kept_without_outputs(notebook: Path) -> None:
    for cell in nbformat.read(notebook, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_notebook_runs_and_shows_what_it_says(notebook: Path, tmp_path: Path, servers: Servers) -> None:
    shown = texts_of(run(notebook, tmp_path, servers.store("redis")))

    place = 0
    for text in SHOWN[notebook.stem]:
        place = shown.find(text, place)
        assert place >= 0, f"{text!r} is missing or too early in\n{shown}"
