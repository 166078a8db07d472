"""Waits for a task that nobody runs until it is interrupted, and then looks at it: wait_for_ever.py PATH"""

import sys

from sitq.sync import SyncTaskQueue

queue = SyncTaskQueue(sys.argv[1])
task = queue.enqueue(abs, 1)
print("waiting")
try:
    queue.get_result(task)
except KeyboardInterrupt:
    print("interrupted")
info = queue.get_task(task)
print(f"task is {info.status if info else None}")
queue.close()
