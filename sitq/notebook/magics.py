"""`%load_ext sitq`: `%%sitq` runs a cell as a task, `%sitq` looks at tasks and acts on them."""

import shlex
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any, Protocol

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from sitq.exceptions import TaskQueueError
from sitq.notebook.cells import awaits, names_read, run_awaiting_cell, run_cell
from sitq.notebook.display import say, show_text
from sitq.notebook.handle import LiveHandle
from sitq.notebook.start import newest_worker, start_worker
from sitq.notebook.worker import BackgroundWorker
from sitq.serialization.pickling import weigh
from sitq.serialization.weights import format_size

_USAGE = "%sitq status | show TASK | logs [TASK] | cancel TASK | requeue TASK, where TASK is an id or a name"


class Shell(Protocol):
    """What the magics need of IPython's shell."""

    user_ns: MutableMapping[str, Any]

    def register_magic_function(self, func: Any, magic_kind: str, magic_name: str) -> None: ...


def load_ipython_extension(shell: Shell) -> None:
    """Add the magics to a shell; IPython calls this for `%load_ext sitq`.

    They use the worker that was started last, or start one on `jobs.db`.
    """
    shell.register_magic_function(_act, "line", "sitq")
    shell.register_magic_function(partial(_run, shell), "cell", "sitq")


def _act(line: str) -> Any:
    """Look at tasks or act on them: %sitq status | show TASK | logs [TASK] | cancel TASK | requeue TASK."""
    verb, *rest = shlex.split(line) or ["status"]
    if verb in _ALONE and not rest:
        return _ALONE[verb](_worker())
    if verb not in _VERBS or len(rest) != 1:
        raise UsageError(f"got %sitq {line}; {_USAGE}")
    return _VERBS[verb](_task(_worker(), rest[0]))


def _tell_output(task: LiveHandle[Any]) -> None:
    if output := task.output:
        show_text(output)
    else:
        say(f"task {task!s} has written nothing")


def _tell_log(worker: BackgroundWorker) -> None:
    if log := worker.log():
        show_text(log)
    else:
        say(f"the worker on {worker.path} has said nothing; %sitq logs TASK shows what a task wrote")


_ALONE: dict[str, Callable[[BackgroundWorker], Any]] = {"status": lambda worker: worker, "logs": _tell_log}
_VERBS: dict[str, Callable[[LiveHandle[Any]], Any]] = {
    "show": lambda task: task,
    "logs": _tell_output,
    "cancel": LiveHandle.cancel,
    "requeue": LiveHandle.requeue,
}


def _run(shell: Shell, line: str, cell: str) -> LiveHandle[Any] | None:
    """Run this cell as a task, on a copy of the names that it reads; its last expression is the task's value."""
    options = _options().parse_args(shlex.split(line))
    names = names_read(cell, shell.user_ns)
    function = run_awaiting_cell if awaits(cell) else run_cell
    handle = _worker().submit(partial(function, cell, f"%%sitq {options.name}", **names), name=options.name)
    if names:
        say("copied " + ", ".join(f"{name} ({format_size(weigh(value).size)})" for name, value in names.items()))
    if options.output is None:
        return handle
    shell.user_ns[options.output] = handle
    return None


def _options() -> Any:
    parser = MagicArgumentParser(prog="%%sitq")  # type: ignore[no-untyped-call]  # IPython's
    parser.add_argument("-n", "--name", default="cell", help="what to find the task by")
    parser.add_argument("-o", "--output", metavar="VARIABLE", help="where to put the task's handle")
    return parser


def _worker() -> BackgroundWorker:
    return newest_worker() or start_worker()


def _task(worker: BackgroundWorker, key: str) -> LiveHandle[Any]:
    """Find a task by its id, or the newest one of that name."""
    try:
        return worker.get(key)
    except TaskQueueError:
        return worker[key]
