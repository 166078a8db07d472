"""Puts the commands together, and turns every error into one line and an exit code.

0: done. 1: nothing was reached, or something is wrong. 2: it could not be done. 130: interrupted.
"""

import os
import sys
from collections.abc import Sequence

import click

from sitq import __version__
from sitq.cli.acting import cancel, delete, pause, purge, requeue, resume, run_now
from sitq.cli.completing import completion
from sitq.cli.doctor import doctor
from sitq.cli.looking import export, list_, logs, show, stats
from sitq.cli.moving import migrate
from sitq.cli.printing import complain
from sitq.cli.scheduling import schedule, schedules
from sitq.cli.working import enqueue, rerun, worker
from sitq.exceptions import SitqError

ALIASES = {"ls": "list", "rm": "delete", "retry": "requeue"}


class Commands(click.Group):
    """Knows a few commands by a second, shorter name."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sitq")
def app() -> None:
    """Background jobs in one SQLite file.

    STORE is the file's path, or a URL.
    """


for command in (
    worker,
    enqueue,
    rerun,
    schedule,
    schedules,
    list_,
    show,
    logs,
    stats,
    cancel,
    requeue,
    run_now,
    delete,
    purge,
    pause,
    resume,
    doctor,
    export,
    migrate,
    completion,
):
    app.add_command(command)


def run(argv: Sequence[str] | None) -> int:
    """Run the command and return its exit code."""
    try:
        code = app.main(args=None if argv is None else list(argv), prog_name="sitq", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        return 130
    except click.ClickException as exc:
        exc.show()
        return 2
    except SitqError as exc:
        complain(str(exc))
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as exc:
        complain(f"cannot write: {exc}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter tries once more at its end
        return 2
    return code if isinstance(code, int) else 0
