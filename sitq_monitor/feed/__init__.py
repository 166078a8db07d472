"""The only place that calls sitq: a thread that watches a store, answers views of it, and acts when told to."""

from sitq_monitor.feed.answers import read_once
from sitq_monitor.feed.thread import Feed

__all__ = ["Feed", "read_once"]
