"""The switchboard: hands news to the widgets, and what people do to the source."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from sitq.sanitize import clean
from sitq.views import Order
from sitq_monitor import language, phrases
from sitq_monitor.acting import Acting
from sitq_monitor.clock import Clock
from sitq_monitor.deed import Action, Plan, Progress
from sitq_monitor.footing import Footing
from sitq_monitor.keys import MUTATING, SCREEN_KEYS
from sitq_monitor.language import FilterError
from sitq_monitor.looking import Looking, faster
from sitq_monitor.model import STATES, QueueRow
from sitq_monitor.news import Arrived
from sitq_monitor.settings import Settings
from sitq_monitor.source import Source
from sitq_monitor.view import PAGE, Snapshot, View
from sitq_monitor.widgets.bindings import bindings
from sitq_monitor.widgets.body import Body
from sitq_monitor.widgets.dashboard import Dashboard
from sitq_monitor.widgets.filter_bar import FilterBar
from sitq_monitor.widgets.help import HelpScreen
from sitq_monitor.widgets.paint import CLASSES
from sitq_monitor.widgets.place_bar import PlaceBar
from sitq_monitor.widgets.roster import Roster
from sitq_monitor.widgets.state_tabs import StateTabs
from sitq_monitor.widgets.task_table import TaskTable

WIDE, TALL = 140, 30
FILTER_LIMIT = 1_000


class TaskScreen(Screen[None]):
    """Shows the list of tasks and one of them, or workers, or queues. For the arguments see `MonitorApp`."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(SCREEN_KEYS)
    COMPONENT_CLASSES: ClassVar[set[str]] = CLASSES
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)  # or each change of focus has all of it painted

    def __init__(self, source: Source, *, path: str, read_only: bool, clock: Clock, settings: Settings) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
        self.VERTICAL_BREAKPOINTS = [(0, "-low"), (TALL, "-tall")]
        self._source, self._read_only, self._clock, self._settings = source, read_only, clock, settings
        self._view, self._busy = View(), False
        self.looking = Looking(clock)
        self.dashboard = Dashboard(id="dashboard", clock=clock)
        self.filter_bar = FilterBar(id="filter-bar")
        self.place_bar = PlaceBar(id="place-bar")
        self.tabs = StateTabs(id="tabs")
        self.body = Body(id="body", read_only=read_only, clock=clock)
        self.table, self.detail = self.body.table, self.body.detail
        self.footing = Footing(path, read_only=read_only)
        self.acting = Acting(source, self.body, self.looking, say=self._note, clock=clock)

    def compose(self) -> ComposeResult:
        yield self.footing.status
        yield self.dashboard
        yield self.tabs
        yield self.footing.filter
        yield self.filter_bar
        yield self.body
        yield self.footing.hint
        yield self.place_bar
        yield self.footing.keys

    def on_mount(self) -> None:
        self.table.focus()
        self._say()
        self._source.listen(lambda news: self.post_message(Arrived(news)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (self._read_only and action in MUTATING)

    # From the source to the widgets

    @on(Arrived)
    def take(self, message: Arrived) -> None:
        news = message.news
        if isinstance(news, Snapshot):
            self._show(news)
        elif isinstance(news, Plan):
            self.acting.confirm(news)
        else:
            self._busy = isinstance(news, Progress)
            self.footing.note = phrases.news_parts(news)
        self._say()

    def _show(self, snapshot: Snapshot) -> None:
        self.footing.take(snapshot, has_same_list=snapshot.view.lists_like(self._view))
        self.dashboard.show(pulse=snapshot.pulse, counts=snapshot.counts)
        self.body.show(snapshot)
        self.tabs.counts = snapshot.counts or self.tabs.counts
        if snapshot.view.lists_like(self._view):
            self.table.hear(snapshot)
        if self.place_bar.has_sent and self.table.jump is None:
            self._ask_place(False)
        row = self.table.cursor_row
        if snapshot.has_detail and row is not None and snapshot.view.task_id == row.id:
            self.detail.show(snapshot.detail)

    # From the widgets to the source

    @on(TaskTable.Changed)
    @on(Roster.Changed)
    def look(self) -> None:
        """Ask the source for what is now on the screen."""
        table, row = self.table, self.table.cursor_row
        view = View(
            filter=self.looking.filter,
            order=self.looking.order,
            limit=max(2 * table.size.height, PAGE),
            held=table.held,
            after=table.listing.wants_after,
            above=table.listing.wants_above,
            jump=table.jump,
            task_id=row.id if row and (self.body.place == "task" or self.size.width >= WIDE) else None,
            live=self.looking.live,
        )
        if row is None:
            self.detail.show(None)
        if view != self._view:
            self._view = view
            self._source.look(view)
        self._say()

    @on(StateTabs.Chosen)
    def choose(self, message: StateTabs.Chosen) -> None:
        self.footing.note = ()
        if message.state == self.looking.status and self.body.place == "list":
            self.table.follow(True)
            return
        self.looking.choose(message.state)
        self._start_over()

    @on(FilterBar.Written)
    def use_filter(self, message: FilterBar.Written) -> None:
        self.remove_class("-filtering")
        self.set_focus(self.table)
        if message.text is not None and self.filter_by(message.text) and message.text:
            self._settings.used(message.text)
        self._say()

    def filter_by(self, text: str) -> bool:
        """Show what a filter matches, and tell whether it could be understood."""
        try:
            self.looking.write(clean(text, FILTER_LIMIT))
        except FilterError as exc:
            self._note(((clean(f" {exc}"), "failed"),))
            return False
        self._start_over()
        return True

    def _start_over(self) -> None:
        self.footing.start_over()
        self.tabs.state = self.looking.status
        self.table.start_over(may_jump=self.looking.order is not Order.ENDED)
        self._go("list")

    def _go(self, place: str) -> None:
        self.body.go(place)
        self.look()

    # Keys: what is looked at

    def action_state(self, place: int) -> None:
        self.choose(StateTabs.Chosen(STATES[place]))

    def action_next_state(self, by: int) -> None:
        self.choose(StateTabs.Chosen(self.looking.neighbour(by)))

    @on(TaskTable.Opened)
    @on(Roster.Opened)
    def action_open(self) -> None:
        if self.body.place == "list":
            self._go("task")
            self.detail.reveal()
        elif (queue := self.body.queue) is not None:
            self._show_queue(queue)

    def _show_queue(self, queue: QueueRow) -> None:
        if queue.id == queue.name:
            self.filter_by(language.quoted("queue", queue.name))
        else:
            self._note(((" the name of this queue cannot be written in a filter", "warning"),))

    def action_leave(self) -> None:
        """Go one step back: stop what is being done, leave the place, unmark, drop the filter."""
        if self._busy:
            self._source.halt()
        elif self.body.place != "list":
            self._go("list")
        elif self.table.marks:
            self.table.action_unmark()
        elif self.looking.text:
            self.filter_by("")
        self._note(())

    def action_roster(self, name: str) -> None:
        self._go("list" if self.body.place == name else name)

    def action_zoom(self) -> None:
        self.toggle_class("-zoomed")

    def action_other_pane(self) -> None:
        if self.body.shows_tasks:
            self.set_focus(self.table if self.detail.has_focus else self.detail)

    def action_filter(self) -> None:
        self._go("list")
        self.add_class("-filtering")
        names = dict.fromkeys(row.name for row in self.table.listing.rows)
        self.filter_bar.know((queue.name for queue in self.tabs.counts.queues), names)
        self.filter_bar.open(self.looking.text, self._settings.history)

    def action_sort(self) -> None:
        self.looking.sort()
        self._start_over()

    def action_range(self) -> None:
        self.looking.narrow()
        self._start_over()

    def action_keep(self) -> None:
        self.acting.keep_filter(self._settings)

    def action_go_to(self) -> None:
        if self.table.may_jump:
            self._go("list")
            self._ask_place(True)

    @on(PlaceBar.Written)
    def go_to(self, message: PlaceBar.Written) -> None:
        self.footing.note, self.table.jump = (), None
        try:
            if message.text:
                self.table.go_to(language.place(message.text, self._clock()))
        except FilterError as exc:
            self._note(((clean(f" {exc}"), "failed"),))
        if self.table.jump is None:
            self._ask_place(False)

    def _ask_place(self, on: bool) -> None:
        self.place_bar.show(on)
        self.footing.hint.display = not on
        self.set_focus(self.place_bar if on else self.table)

    def action_follow(self) -> None:
        self.table.follow(not self.table.following)

    def action_pause(self) -> None:
        self.looking.live = not self.looking.live
        self.look()

    def action_rate(self, by: int) -> None:
        self._source.rate = faster(self._source.rate, by)
        self._say()

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(read_only=self._read_only))

    # Keys: what is done

    def action_act(self, verb: str) -> None:
        self.acting.ask(Action(verb))

    def action_turn(self) -> None:
        self.acting.turn()

    def action_run_now(self) -> None:
        self.acting.run_now()

    def action_export(self) -> None:
        self.acting.export()

    def action_copy_id(self) -> None:
        self.acting.copy_id()

    def action_copy_text(self) -> None:
        self.acting.copy_text()

    # What the lines say

    def _note(self, parts: phrases.Parts) -> None:
        self.footing.note = parts
        self._say()

    def _say(self) -> None:
        self.footing.say(self.table, self.looking, place=self.body.place, rate=self._source.rate)
        self.set_class(bool(self.looking.text) or self.looking.order is not Order.NEWEST, "-filtered")
