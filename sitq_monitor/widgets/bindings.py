"""Makes Textual's bindings out of the table of keys."""

from collections.abc import Iterable

from textual.binding import Binding, BindingType

from sitq_monitor.keys import Key


def bindings(keys: Iterable[Key]) -> list[BindingType]:
    return [Binding(key.keys, key.action, key.label, key_display=key.shown) for key in keys]
