"""The switchboard of the monitor: hands snapshots to the widgets, and what people do to the feed."""

import os
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from textual import on
from textual.app import App, ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message

from sitq.sanitize import Clean, clean
from sitq_monitor import phrases
from sitq_monitor.keys import APP_KEYS, allowed, footer
from sitq_monitor.model import PAGE, STATES, Action, Outcome, Snapshot, TaskId, TaskRow, View
from sitq_monitor.phrases import Parts
from sitq_monitor.widgets.column_heads import ColumnHeads
from sitq_monitor.widgets.confirm import ConfirmAction
from sitq_monitor.widgets.detail import DetailPane
from sitq_monitor.widgets.help import HelpScreen
from sitq_monitor.widgets.key_bar import KeyBar
from sitq_monitor.widgets.line import Line
from sitq_monitor.widgets.state_tabs import StateTabs
from sitq_monitor.widgets.task_table import TaskTable, utc_now

WIDE = 140
PATH_LIMIT = 120
THEME = "tokyo-night"


class Source(Protocol):
    """Where snapshots come from; `Feed` is one."""

    def listen(self, post: Callable[[Snapshot | Outcome], None]) -> None: ...
    def look(self, view: View) -> None: ...
    def act(self, action: Action, ids: Collection[TaskId]) -> None: ...


class SnapshotReady(Message):
    """The source has read something. Only the newest that waits is worth handling: each is whole."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotReady)


class OutcomeReady(Message):
    """An action has been carried out."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__()


class MonitorApp(App[None]):
    """Shows a store live.

    Args:
        source: where snapshots come from; it is listened to, and left open.
        path: what to call the store.
        read_only: without the keys that change tasks.
        clock: tells the time, by which ages and running times are counted.
    """

    CSS_PATH = "monitor.tcss"
    TITLE = "sitq-monitor"

    def __init__(
        self, source: Source, *, path: str, read_only: bool = False, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
        self.animation_level = "none"  # a scroll that glides sends ten times the bytes
        self.theme = os.environ.get("TEXTUAL_THEME", THEME)
        self._source = source
        self._path: Clean = clean(path, PATH_LIMIT)
        self._read_only = read_only
        self._view = View()
        self._live = True
        self._trouble: Clean | None = None
        self._outcome: Parts = ()
        self.status, self.hint = Line(id="status"), Line(id="hint")
        self.tabs = StateTabs(id="tabs")
        self.table = TaskTable(id="table", read_only=read_only, clock=clock)
        self.detail = DetailPane(id="detail", clock=clock)
        self.footer = KeyBar(id="keys")
        for key in allowed(APP_KEYS, read_only=read_only):
            self.bind(key.keys, key.action, description=key.label, key_display=key.shown)

    def compose(self) -> ComposeResult:
        yield self.status
        yield self.tabs
        with Horizontal(id="body"):
            with Vertical(id="list"):
                yield ColumnHeads(id="heads")
                yield self.table
            yield self.detail
        yield self.hint
        yield self.footer

    def on_mount(self) -> None:
        self.table.focus()
        self._say()
        self._source.listen(self._post)

    def _post(self, news: Snapshot | Outcome) -> None:
        self.post_message(SnapshotReady(news) if isinstance(news, Snapshot) else OutcomeReady(news))

    # From the feed to the widgets

    @on(SnapshotReady)
    def show(self, message: SnapshotReady) -> None:
        snapshot = message.snapshot
        self._trouble = snapshot.trouble
        if snapshot.trouble is None and snapshot.view.status == self._view.status:
            if snapshot.counts is not None:
                self.tabs.counts = snapshot.counts
            self.table.hear(snapshot)
            if snapshot.view.task_id == self._view.task_id:
                self.detail.show(snapshot.detail)
        self._say()

    @on(OutcomeReady)
    def tell(self, message: OutcomeReady) -> None:
        self._outcome = phrases.outcome_parts(message.outcome)
        self._say()

    # From the widgets to the feed

    @on(TaskTable.Changed)
    def look(self) -> None:
        """Ask the feed for what is now on the screen."""
        row = self.table.cursor_row
        has_detail = self.has_class("-open") or self.size.width >= WIDE
        view = View(
            status=self.tabs.state,
            limit=max(2 * self.table.size.height, PAGE),
            held=self.table.held,
            before=self.table.wants_before,
            task_id=row.id if row and has_detail else None,
            live=self._live,
        )
        if view != self._view:
            self._view = view
            self._source.look(view)
        self._say()

    @on(StateTabs.Chosen)
    def choose(self, message: StateTabs.Chosen) -> None:
        self._outcome = ()
        if message.state == self.tabs.state:
            self.table.follow(True)
            return
        self.tabs.state = message.state
        self.table.start_over()
        self.look()

    # Keys

    def action_state(self, place: int) -> None:
        self.choose(StateTabs.Chosen(STATES[place]))

    @on(TaskTable.Opened)
    def action_open(self) -> None:
        self.add_class("-open")
        self.detail.focus()
        self.look()

    def action_leave(self) -> None:
        self._outcome = ()
        if self.has_class("-open"):
            self.remove_class("-open")
            self.table.focus()
        else:
            self.table.unmark()
        self.look()

    def action_follow(self) -> None:
        self.table.follow(not self.table.following)

    def action_pause(self) -> None:
        self._live = not self._live
        self.look()

    def action_help(self) -> None:
        self.push_screen(HelpScreen(read_only=self._read_only))

    def action_act(self, verb: str) -> None:
        """Ask, and then do it to the tasks that were chosen at this moment, whatever moves meanwhile."""
        action, chosen = Action(verb), self._chosen()
        eligible = [row for row in chosen if action.reaches(row)]
        if not eligible:
            self._outcome = phrases.refusal_parts(action, chosen)
            self._say()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._source.act(action, [row.id for row in eligible])
                self.table.unmark()

        self.push_screen(ConfirmAction(phrases.question(action, chosen, eligible), verb=action.value), answered)

    def _chosen(self) -> list[TaskRow]:
        row = self.table.cursor_row
        return [row] if row and self.has_class("-open") else self.table.chosen

    def _say(self) -> None:
        """Bring the lines above and below the table up to date."""
        table, counts = self.table, self.tabs.counts
        self.footer.keys = footer("task" if self.has_class("-open") else "list", read_only=self._read_only)
        self.status.say(
            phrases.status_parts(path=self._path, trouble=self._trouble, live=self._live),
            phrases.rights_parts(counts, read_only=self._read_only),
        )
        self.hint.say(
            self._outcome or phrases.arrived_parts(table.listing.arrived, more=table.listing.arrived_more),
            phrases.place_parts(
                line=table.cursor_line,
                rows=len(table.listing.rows),
                total=counts.of(self.tabs.state),
                marked=len(table.marks),
                following=table.following,
            ),
        )
