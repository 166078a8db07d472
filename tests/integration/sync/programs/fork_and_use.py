"""Forks after the first use of a blocking queue, and uses it on both sides: fork_and_use.py PATH"""

import os
import sys
import warnings

from sitq.sync import SyncTaskQueue

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads and forks, which is the point here

queue = SyncTaskQueue(sys.argv[1])
queue.stats()
child = os.fork()
if child == 0:
    queue.enqueue(abs, 1)
    print(f"child stored {len(queue.list_tasks())}", flush=True)
    queue.close()
    sys.exit(0)
_, status = os.waitpid(child, 0)
print(f"child ended with {os.waitstatus_to_exitcode(status)}")
queue.enqueue(abs, 1)
print(f"parent sees {len(queue.list_tasks())}")
queue.close()
