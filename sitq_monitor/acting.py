"""Does what a person asks for: plans it, asks before it changes anything, and says what came of it."""

from collections.abc import Callable
from pathlib import Path

from sitq.sanitize import Clean, clean
from sitq_monitor import phrases
from sitq_monitor.clock import Clock
from sitq_monitor.deed import Action, Plan, Scope
from sitq_monitor.looking import Looking
from sitq_monitor.model import QueueRow, ScheduleRow, TaskId
from sitq_monitor.phrases import Parts
from sitq_monitor.question import Question
from sitq_monitor.settings import Settings
from sitq_monitor.source import Source
from sitq_monitor.widgets.body import Body
from sitq_monitor.widgets.confirm import ConfirmAction
from sitq_monitor.widgets.prompt import Prompt

PICTURE = ".svg"
FORMATS = (".jsonl", ".csv", PICTURE)
COPY_LIMIT = 65_536
PATH_LIMIT = 400


class Acting:
    """Stands between keys and source.

    Args:
        say: says something on the line below the table.
    """

    def __init__(
        self,
        source: Source,
        body: Body,
        looking: Looking,
        *,
        say: Callable[[Parts], None],
        clock: Clock,
    ) -> None:
        self._source, self._body, self._looking = source, body, looking
        self._say, self._clock = say, clock

    def ask(self, action: Action) -> None:
        """Have an action planned for the open task, or else for what is marked or under the cursor."""
        if self._body.shows_tasks:
            task = self._body.open_task
            self._say(((f" looking what to {action.words} …", "muted"),))
            self._source.plan(action, self._scope((task.id,) if task is not None else None))

    def confirm(self, plan: Plan) -> None:
        """Ask whether to carry a plan out, and do so if the answer is yes."""
        if not plan.eligible:
            self._say(phrases.refusal_parts(plan))
            return
        self._say(())
        self._if_sure(phrases.question(plan, clean(self._looking.written)), lambda: self._carry_out(plan))

    def _carry_out(self, plan: Plan) -> None:
        self._source.act(plan)
        self._body.table.action_unmark()

    def turn(self) -> None:
        """Ask whether to stop or resume the queue or the schedule under the cursor."""
        if (queue := self._body.queue) is not None:
            self._turn_queue(queue)
        elif (schedule := self._body.schedule) is not None:
            self._turn_schedule(schedule)

    def run_now(self) -> None:
        """Ask whether to run tasks at once, or to enqueue one of the schedule under the cursor."""
        if (schedule := self._body.schedule) is not None:
            self._run_schedule(schedule)
        else:
            self.ask(Action.RUN_NOW)

    def _turn_queue(self, queue: QueueRow) -> None:
        verb = "Resume" if queue.paused else "Stop"
        what = "its tasks are handed out again" if queue.paused else "no task of it is handed out; what runs goes on"
        question = Question(clean(f"{verb} queue {queue.name}?"), Clean(what), Clean(verb))
        self._if_sure(question, lambda: self._source.set_paused(queue.id, not queue.paused))

    def _turn_schedule(self, schedule: ScheduleRow) -> None:
        verb = "Resume" if schedule.paused else "Stop"
        what = "what came meanwhile is not caught up" if schedule.paused else "it enqueues nothing until it is resumed"
        question = Question(clean(f"{verb} schedule {schedule.name}?"), Clean(what), Clean(verb))
        self._if_sure(question, lambda: self._source.set_schedule_paused(schedule.id, not schedule.paused))

    def _run_schedule(self, schedule: ScheduleRow) -> None:
        question = Question(clean(f"Run schedule {schedule.name} now?"), Clean(schedule.task), Clean("Run"))
        self._if_sure(question, lambda: self._source.run_schedule(schedule.id))

    def _if_sure(self, question: Question, act: Callable[[], None]) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                act()

        self._body.app.push_screen(ConfirmAction(question), answered)

    def keep_filter(self, settings: Settings) -> None:
        """Ask for a name to keep the filter by."""
        text = self._looking.written

        def answered(name: str | None) -> None:
            if name:
                settings.keep(name, text)
                self._say(((clean(f" the palette, Ctrl+P, has it as Filter: {name}"), "success"),))

        if text:
            self._body.app.push_screen(Prompt("Keep this filter as", hint=clean(text)), answered)

    def export(self) -> None:
        """Ask for a file, and write to it what is marked, or else all that match."""
        stamp = self._clock().astimezone().strftime("%Y%m%d-%H%M%S")
        prompt = Prompt(
            "Export to", hint="a new .jsonl, .csv or .svg file", value=f"tasks-{stamp}.jsonl", check=_export_trouble
        )

        def answered(name: str | None) -> None:
            if name is not None:
                self._write(Path(name).expanduser())

        self._body.app.push_screen(prompt, answered)

    def copy_id(self) -> None:
        row = self._body.table.cursor_row
        if row is not None:
            self._copy(clean(row.id), "id")

    def copy_text(self) -> None:
        """Copy what explains the open task best."""
        detail = self._body.detail.detail
        if detail is None:
            self._say(((" open the task first, to copy its traceback", "warning"),))
            return
        for name in ("traceback", "arguments"):
            if text := getattr(detail, name):
                self._copy(text, name)
                return
        self._say(((" there is nothing to copy but the id", "warning"),))

    def _copy(self, text: Clean, what: str) -> None:
        self._body.app.copy_to_clipboard(text[:COPY_LIMIT])
        self._say(((f" {what} handed to the terminal's clipboard", "success"),))

    def _write(self, path: Path) -> None:
        if path.suffix.lower() != PICTURE:
            ids = self._body.table.marks.ids or None
            self._source.export(path, self._scope(ids, all_unless_marked=True))
            return
        self._body.app.call_after_refresh(self._write_picture, path)

    def _write_picture(self, path: Path) -> None:
        shown = clean(str(path), PATH_LIMIT)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(self._body.app.export_screenshot())
        except OSError as exc:
            self._say(((clean(f" {shown} cannot be written: {exc.strerror}", PATH_LIMIT), "failed"),))
        else:
            self._say(((f" picture written to {shown}", "success"),))

    def _scope(self, ids: tuple[TaskId, ...] | None, *, all_unless_marked: bool = False) -> Scope:
        if ids is None and not (self._body.table.marks.are_all or all_unless_marked):
            ids = self._body.table.chosen
        return Scope(ids=ids, filter=self._looking.filter, asked_at=self._clock())


def _export_trouble(name: str) -> str:
    path = Path(name).expanduser()
    if path.suffix.lower() not in FORMATS:
        return f"the name must end in {', '.join(FORMATS)}"
    if path.exists():
        return "there is such a file already; take another name"
    return "" if path.parent.is_dir() else "there is no such folder; make it first"
