"""Opens a store, forks, opens the inherited backend anew in the child, and goes on: fork_and_reuse.py PATH_OR_URL"""

import asyncio
import os
import sys
import warnings

from sitq.backends import backend_from_url
from sitq.backends.base import Backend

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads, rightly


async def is_woken(backend: Backend) -> bool:
    """Use both connections, and tell whether a change is heard."""
    await backend.connect()
    await backend.stats()
    waiting = asyncio.ensure_future(backend.wait(["mail"], timeout=10.0))
    await asyncio.sleep(0.1)
    await backend.set_paused("mail", True)
    done, _ = await asyncio.wait([waiting], timeout=5.0)
    return bool(done)


async def use_and_close(backend: Backend) -> None:
    print("child", await is_woken(backend), flush=True)
    await backend.close()


async def main() -> Backend:
    backend = backend_from_url(sys.argv[1])
    await is_woken(backend)
    return backend


with asyncio.Runner() as runner:
    inherited = runner.run(main())
    if (child := os.fork()) == 0:
        asyncio.run(use_and_close(inherited))
        os._exit(0)
    os.waitpid(child, 0)
    print("parent", runner.run(is_woken(inherited)))
    runner.run(inherited.close())
