"""The buttons beside a panel's rows. Each belongs to one task, so that a late click never meets another one."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sitq.core import TaskStatus
from sitq.notebook.display import ROW_HEIGHT
from sitq.views import TaskInfo

_PAIRS = 40  # twice as many as rows, so that a button is used again only long after its task went out of sight
_MARGIN = 2


class Actions(Protocol):
    """What the buttons do; called on any thread."""

    def cancel(self, task_id: str) -> object: ...

    def requeue(self, task_id: str) -> object: ...


class Buttons:
    """A column of buttons, made as they are needed.

    Args:
        widgets: the module ipywidgets.
        actions: what they do.
        rows: how many there are at most.
    """

    def __init__(self, widgets: Any, actions: Actions, rows: int) -> None:
        self._widgets = widgets
        self._actions = actions
        self._pairs: OrderedDict[str, _Pair] = OrderedDict()  # by task, the one shown last at the end
        self._layout = widgets.Layout(
            width="80px", height=f"{ROW_HEIGHT - 2 * _MARGIN}px", margin=f"{_MARGIN}px {_MARGIN}px"
        )
        self._style = widgets.ButtonStyle()
        nothing = widgets.Layout(height=f"{ROW_HEIGHT}px", margin="0")
        self._blanks = [widgets.Box(layout=nothing) for _ in range(rows)]
        # The first line beside it is the headline.
        self.column = widgets.VBox(
            layout=widgets.Layout(margin=f"{ROW_HEIGHT}px 0 0 0", flex="0 0 auto", overflow="visible")
        )

    def of(self, tasks: Sequence[TaskInfo]) -> tuple[Any, ...]:
        """Give for each task the button that it needs now, or a blank."""
        return tuple(
            self._pair(info.id).choose(info) or blank for info, blank in zip(tasks, self._blanks, strict=False)
        )

    def put(self, column: tuple[Any, ...]) -> None:
        """Show these, in one message."""
        self.column.children = column

    def _pair(self, task_id: str) -> "_Pair":
        pair = self._pairs.pop(task_id, None)
        if pair is None:
            pair = _Pair(self._make) if len(self._pairs) < _PAIRS else self._pairs.popitem(last=False)[1]
            pair.belong_to(task_id)
        self._pairs[task_id] = pair
        return pair

    def _make(self, verb: str, clicked: Callable[[Any], None]) -> Any:
        button = self._widgets.Button(
            description=verb.capitalize(),
            layout=self._layout,
            style=self._style,
            _dom_classes=(f"sitq-{verb}",),  # add_class would send a message of its own
        )

        def act(button: Any) -> None:
            button.disabled = True  # at once: the task itself may take a moment
            clicked(getattr(self._actions, verb))

        button.on_click(act)
        return button


class _Pair:
    """The two buttons of a task, of which at most one is shown."""

    def __init__(self, make: Callable[[str, Callable[[Any], None]], Any]) -> None:
        self._make = make
        self._task_id = ""
        self._buttons: dict[str, Any] = {}

    def belong_to(self, task_id: str) -> None:
        self._task_id = task_id
        for button in self._buttons.values():
            button.disabled = False

    def choose(self, info: TaskInfo) -> Any:
        """Give the button that the task needs now; None when there is nothing to do about it."""
        if info.status is TaskStatus.SUCCESS:
            return None
        verb, other = ("requeue", "cancel") if info.status.is_final else ("cancel", "requeue")
        if other in self._buttons:
            self._buttons[other].disabled = False
        if verb not in self._buttons:
            self._buttons[verb] = self._make(verb, lambda act: act(self._task_id))
        return self._buttons[verb]
