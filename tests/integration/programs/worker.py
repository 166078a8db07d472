"""Runs a worker until SIGINT or SIGTERM, and prints its log: worker.py PATH [--lease S] [--grace S] [...]"""

import argparse
import logging
import sys

from sitq.worker import Worker

parser = argparse.ArgumentParser()
parser.add_argument("path")
parser.add_argument("--lease", type=float, default=30.0)
parser.add_argument("--grace", type=float, default=30.0)
parser.add_argument("--concurrency", type=int, default=4)
parser.add_argument("--executor", default="thread")
given = parser.parse_args()

logging.basicConfig(stream=sys.stdout, level=logging.INFO)
Worker(
    given.path,
    max_concurrency=given.concurrency,
    lease=given.lease,
    grace=given.grace,
    executor=given.executor,
).run()
