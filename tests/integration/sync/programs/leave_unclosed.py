"""Uses a blocking queue and leaves without closing it: leave_unclosed.py PATH"""

import sys

from sitq.sync import SyncTaskQueue

queue = SyncTaskQueue(sys.argv[1])
queue.enqueue(abs, 1)
queue.get_result(queue.enqueue(abs, 1), timeout=0.05)
print("leaving")
