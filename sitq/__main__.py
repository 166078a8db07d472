"""`python -m sitq` is the command `sitq`."""

import sys

from sitq.cli import main

if __name__ == "__main__":
    sys.exit(main())
