"""Background jobs that live beside a notebook's kernel: `start_worker` and what it gives back."""

from sitq.notebook.handle import LiveHandle
from sitq.notebook.nesting import allow_nested
from sitq.notebook.start import start_worker
from sitq.notebook.submitting import BoundWorker
from sitq.notebook.worker import BackgroundWorker

__all__ = ["start_worker", "BackgroundWorker", "BoundWorker", "LiveHandle", "allow_nested"]
