"""Reads progress from the bars that tqdm draws, so that a function need not know of sitq."""

import re

from sitq.core import Progress

# What tqdm draws: "reading:  45%|####5     | 45/100 [00:01<00:02, 30.12it/s]".
_BAR = re.compile(r"\r(?:(?P<message>[^\r\n|]*?):? +)?\d+%\|[^|\r\n]*\| (?P<done>[\d.]+)/(?P<total>[\d.]+) \[")


def bar_in(text: str) -> Progress | None:
    """Read the last progress bar in a text as tqdm draws it."""
    if "\r" not in text:
        return None
    bars = list(_BAR.finditer(text))
    if not bars:
        return None
    bar = bars[-1]
    return Progress(float(bar["done"]), float(bar["total"]), bar["message"] or None)
