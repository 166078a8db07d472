"""The command `sitq-monitor`: reads its arguments, opens the store, and only then loads a screen."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Sequence

from sitq.exceptions import SitqError
from sitq.sanitize import clean, without_password
from sitq_monitor import __version__
from sitq_monitor.view import MESSAGE_LIMIT, PAGE, View

USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0, or 2 when there is nothing to monitor."""
    options = _parser().parse_args(arguments)
    try:
        if options.serve is not None:
            return _serve(options)
        if options.once or options.json or not _has_screen():
            return _print_once(options)
        return _watch(options)
    except SitqError as exc:
        return _refuse(str(exc))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sitq-monitor", description="Watch the tasks of a sitq store live.")
    parser.add_argument("store", nargs="?", default="sitq.db", help="the file, or a URL; %(default)s unless given")
    parser.add_argument("--read-only", action="store_true", help="leave out the keys that change tasks")
    parser.add_argument("--once", action="store_true", help="print the newest tasks and leave, as pipes get it anyway")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.add_argument("--limit", type=int, default=PAGE, metavar="N", help="tasks to print; %(default)s unless given")
    parser.add_argument(
        "--serve",
        nargs="?",
        const="8000",
        type=_place,
        metavar="[HOST:]PORT",
        help="show it to browsers; on this machine's own address unless another host is named",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _place(text: str) -> str:
    """Refuse a store where a port may stand, before another store is looked for."""
    if not text.rpartition(":")[2].isdecimal():
        raise argparse.ArgumentTypeError(f"a place is a port or HOST:PORT, got {text!r}; the store goes before --serve")
    return text


def _has_screen() -> bool:
    if "TEXTUAL_DRIVER" in os.environ:
        return True
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()  # Textual draws on stderr


def _print_once(options: argparse.Namespace) -> int:
    from sitq_monitor.feed import read_once
    from sitq_monitor.plain import as_json, as_table

    snapshot = asyncio.run(read_once(options.store, View(limit=max(options.limit, 1))))
    text = as_json(snapshot) if options.json else "\n".join(as_table(snapshot))
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))  # what a terminal cannot draw is escaped
    return 0


def _watch(options: argparse.Namespace) -> int:
    from sitq_monitor.feed import Feed

    feed = Feed(options.store, View(), read_only=options.read_only)
    feed.open()
    try:
        # Imported while the feed reads the first page.
        from sitq_monitor.app import MonitorApp
        from sitq_monitor.settings import Settings, settings_file
    except ModuleNotFoundError as exc:
        feed.close()
        if (exc.name or "").partition(".")[0] not in ("textual", "rich"):
            raise
        return _refuse('the monitor needs Textual; install it with: pip install "sitq-queue[monitor]"')
    try:
        settings = Settings.load(settings_file())
        gc.freeze()  # or else a full collection goes through all that was imported: 80 ms in which no key is heard
        MonitorApp(feed, path=without_password(options.store), read_only=options.read_only, settings=settings).run()
    finally:
        feed.close()
    return 0


def _serve(options: argparse.Namespace) -> int:
    from sitq_monitor.feed import read_once

    asyncio.run(read_once(options.store, View(limit=1)))  # refuse here what no browser could be shown
    try:
        from sitq_monitor.serving import Place, serve
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] not in ("textual_serve", "aiohttp", "aiohttp_jinja2", "jinja2"):
            raise
        return _refuse('--serve needs textual-serve; install it with: pip install "sitq-queue[serve]"')
    try:
        place = Place.parse(options.serve)
        arguments = [*(["--read-only"] if options.read_only else []), "--", options.store]
        serve(arguments, place, lambda words: print(f"sitq-monitor: {words}", flush=True))
    except (ValueError, OSError) as exc:
        return _refuse(str(exc))
    return 0


def _refuse(message: str) -> int:
    print(f"sitq-monitor: {clean(without_password(message), MESSAGE_LIMIT)}", file=sys.stderr)
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
