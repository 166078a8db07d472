"""Runs a worker until SIGINT or SIGTERM, and prints its log: worker.py PATH [--lease S] [--grace S] [...]"""

import argparse
import logging
import sys

from sitq.running import spawning
from sitq.worker import Worker

parser = argparse.ArgumentParser()
parser.add_argument("path")
parser.add_argument("--lease", type=float, default=30.0)
parser.add_argument("--grace", type=float, default=30.0)
parser.add_argument("--concurrency", type=int, default=4)
parser.add_argument("--executor", default="thread")
parser.add_argument("--hide", help="a name of fcntl that children are to miss, as they do elsewhere than on Linux")
given = parser.parse_args()

if given.hide:
    spawning._START = f"import fcntl; del fcntl.{given.hide}\n{spawning._START}"

logging.basicConfig(stream=sys.stdout, level=logging.INFO)
Worker(
    given.path,
    max_concurrency=given.concurrency,
    lease=given.lease,
    grace=given.grace,
    executor=given.executor,
).run()
