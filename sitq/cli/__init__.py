"""The command `sitq`: run a worker, look at a store, act on its tasks."""

import sys
from collections.abc import Sequence

_MISSING = "sitq: the command needs click and rich; pip install 'sitq-queue[cli]'"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; see `sitq.cli.app`."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        print(_MISSING, file=sys.stderr)
        return 2
    from sitq.cli.app import run

    return run(argv)
