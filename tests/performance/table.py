"""Measures everything and prints the tables of docs/explanation/performance.md: `python -m tests.performance.table`.

Arguments are passed on to pytest, such as a file of tests or `-k enqueue`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.performance import spending
from tests.performance.figures import Figure, machine, tables


def measure(arguments: list[str]) -> list[Figure]:
    """Run the measurements in a pytest of their own and read what they found."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "figures"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "performance", *(arguments or ["tests/performance"])]
        subprocess.run(command, env={**os.environ, "SITQ_FIGURES": str(found)}, stdout=sys.stderr, check=False)
        return [Figure(*json.loads(line)) for line in found.read_text().splitlines()] if found.exists() else []


def main() -> None:
    figures = measure(sys.argv[1:])
    print(machine(), "", *tables(figures), "", sep="\n", flush=True)
    print(*spending.enqueue_table(), "", *spending.drain_table(), sep="\n")


if __name__ == "__main__":
    main()
