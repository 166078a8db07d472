"""A window that counts words of files in the background: it never freezes, and a crash loses no job.

    python word_counter.py [FILE …]

The jobs stand in `words.db` beside the program; start it again after a crash, and what had not ended goes on.
"""

import sys
import time
import tkinter as tk
from collections import Counter
from pathlib import Path
from tkinter import filedialog, ttk

from sitq import TaskExecutionError, check_cancelled
from sitq.notebook import BackgroundWorker, LiveHandle, start_worker


def most_common_words(path: str) -> list[tuple[str, int]]:
    """Count the words of a file, slowly enough to watch."""
    words: Counter[str] = Counter()
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            check_cancelled()
            words.update(line.lower().split())
            time.sleep(0.001)
    return words.most_common(3)


class Window(tk.Tk):
    """A table of jobs, and three buttons."""

    def __init__(self, worker: BackgroundWorker) -> None:
        super().__init__()
        self.title("Word counter")
        self._worker = worker
        self._table = ttk.Treeview(self, columns=("state", "words"), height=8)
        for column, title, width in (("#0", "File", 220), ("state", "State", 90), ("words", "Most common words", 320)):
            self._table.heading(column, text=title, anchor="w")
            self._table.column(column, width=width)
        self._table.pack(fill="both", expand=True)
        for title, command in (("Count words…", self._choose), ("Cancel", self._cancel), ("Close", self.destroy)):
            ttk.Button(self, text=title, command=command).pack(side="left", padx=4, pady=4)
        for handle in reversed(worker.tasks(status="pending") + worker.tasks(status="running")):
            self._follow(handle, "unfinished, goes on")

    def count(self, path: str) -> None:
        handle = self._worker.submit(most_common_words, path, name=Path(path).name)
        self._follow(handle, "waiting")

    def _follow(self, handle: LiveHandle[list[tuple[str, int]]], state: str) -> None:
        info = handle.info()
        self._table.insert("", "end", iid=str(handle), text=info.name if info else "", values=(state, ""))
        handle.add_done_callback(self._show, via=self)  # on the window's own thread

    def _show(self, handle: LiveHandle[list[tuple[str, int]]]) -> None:
        try:
            text = ", ".join(f"{word} ({count})" for word, count in handle.result())
        except TaskExecutionError as error:
            text = str(error)
        self._table.item(str(handle), values=(handle.status, text))

    def _choose(self) -> None:
        for path in filedialog.askopenfilenames(title="Count words of"):
            self.count(path)

    def _cancel(self) -> None:
        for task_id in self._table.selection():
            self._worker.get(task_id).cancel()


def main() -> None:
    with start_worker("words.db", concurrency=2) as worker:
        window = Window(worker)
        for path in sys.argv[1:]:
            window.count(path)
        window.mainloop()


if __name__ == "__main__":
    main()
