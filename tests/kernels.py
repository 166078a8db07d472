"""Real kernels of this interpreter, driven as a notebook drives them: cells, interrupts, shutdown, kill."""

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[1]


@dataclass
class Cell:
    """What came of a cell: all that it printed and showed, and the name and traceback of its error."""

    id: str
    text: str = ""
    error: str | None = None
    traceback: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = field(default=False, repr=False)

    def take(self, message: dict[str, Any]) -> None:
        """Take one message that the kernel published for this cell."""
        content = message["content"]
        match message["msg_type"]:
            case "stream":
                self.text += content["text"]
            case "execute_result" | "display_data":
                self.text += content["data"].get("text/plain", "")
                self.displays.append(content["data"])
            case "update_display_data":
                self.updates.append(content["data"])
            case "error":
                self.error, self.traceback = content["ename"], "\n".join(content["traceback"])
            case "status":
                self.ended = content["execution_state"] == "idle"


Run = Callable[..., Cell]
"""Runs a cell that must not fail."""


class Kernel:
    """A kernel without a front end. It needs no installed kernelspec.

    Args:
        folder: where the kernel runs.
    """

    def __init__(self, folder: Path) -> None:
        specs = KernelSpecManager(kernel_dirs=[])  # leaves the spec that ipykernel makes for this interpreter
        self._manager = KernelManager(kernel_name="python3", kernel_spec_manager=specs)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        self._manager.start_kernel(cwd=str(folder), env=environment)
        self._late: list[dict[str, Any]] = []
        self.published: Counter[str] = Counter()  # messages for all cells by their type
        client = self._manager.client()
        assert isinstance(client, BlockingKernelClient)
        self._client = client
        self._client.start_channels()
        self._client.wait_for_ready(timeout=30)

    @property
    def pid(self) -> int:
        provisioner: Any = self._manager.provisioner
        return int(provisioner.pid)

    def run(self, code: str, timeout: float = 15.0) -> Cell:
        """Run a cell to its end."""
        return self.finish(self.begin(code), timeout)

    def begin(self, code: str) -> Cell:
        """Start a cell."""
        return Cell(self._client.execute(code, store_history=False))

    def finish(self, cell: Cell, timeout: float = 15.0) -> Cell:
        """Wait for the end of a cell."""
        self._pump(cell, timeout, until_text=None)
        return cell

    def wait_for_text(self, cell: Cell, text: str, timeout: float = 15.0) -> None:
        """Wait until a running cell has printed this."""
        self._pump(cell, timeout, until_text=text)

    def send(self, kind: str, content: dict[str, Any], *, subshell: str | None = None) -> str:
        """Send a message to the kernel as a front end does, and give its id.

        Args:
            subshell: the thread of the kernel that shall handle it.
        """
        message = self._client.session.msg(kind, content)
        message["header"]["subshell_id"] = subshell
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def click(self, model_id: str, *, subshell: str | None = None) -> None:
        """Press a button as a front end does."""
        data = {"method": "custom", "content": {"event": "click"}}
        self.send("comm_msg", {"comm_id": model_id, "data": data}, subshell=subshell)

    def new_subshell(self) -> str:
        """Let the kernel have one more thread for messages, as JupyterLab does for widgets."""
        self._client.control_channel.send(self._client.session.msg("create_subshell_request", {}))
        reply: dict[str, Any] = self._client.get_control_msg(timeout=5.0)
        return str(reply["content"]["subshell_id"])

    def take_late(self, cell: Cell) -> None:
        """Take what came for a cell after its end, while others ran."""
        for message in self._late:
            if message["parent_header"].get("msg_id") == cell.id:
                cell.take(message)

    def forget_late(self) -> None:
        self._late.clear()
        self.published.clear()

    def late_of_type(self, kind: str) -> list[dict[str, Any]]:
        """Give the messages of a type that came for other cells than the one that ran."""
        return [message for message in self._late if message["msg_type"] == kind]

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def shut_down(self) -> float:
        """Shut the kernel down as a front end does, and give back the seconds that it took."""
        self._client.stop_channels()
        begun = time.monotonic()
        self._manager.shutdown_kernel()
        return time.monotonic() - begun

    def kill(self) -> None:
        """Kill the kernel as the system does when memory runs out."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def close(self) -> None:
        """End the kernel if it has not ended."""
        if self._manager.has_kernel:
            self.kill()
        self._manager.cleanup_resources()
        self._manager.context.destroy()

    def _pump(self, cell: Cell, timeout: float, until_text: str | None) -> None:
        deadline = time.monotonic() + timeout
        while not cell.ended and (until_text is None or until_text not in cell.text):
            message = self._client.get_iopub_msg(timeout=max(0.0, deadline - time.monotonic()))
            self.published[message["msg_type"]] += 1
            if message["parent_header"].get("msg_id") == cell.id:
                cell.take(message)
            else:
                self._late.append(message)
