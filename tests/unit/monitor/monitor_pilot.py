"""Presses keys and waits for what comes of them: until no message is left, whatever the clock says.

Textual's own `press` waits until the process has been idle for twice 20 ms, for each key.
"""

import unicodedata

from textual import events
from textual.app import App
from textual.keys import _character_to_key
from textual.pilot import Pilot


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys by their names or characters, each when the one before has been dealt with."""
    for key in keys:
        pilot.app.post_message(events.Key(*_name_and_character(key)))
        await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    """Wait until every message has been dealt with, also those that are sent meanwhile."""
    await pilot.pause(0)  # deals with all that had been sent
    while True:
        await pilot.wait_for_scheduled_animations()
        await pilot.pause(0)  # and with what was sent by one who was still at it
        if not _has_messages(pilot.app):
            return


def _has_messages(app: App[None]) -> bool:
    return any(pump.message_queue_size for pump in (app, *app.screen.walk_children(with_self=True)))


def _name_and_character(key: str) -> tuple[str, str | None]:
    if len(key) == 1:
        return (key if key.isalnum() else _character_to_key(key)), key
    try:
        return key, unicodedata.lookup(key.replace("_", " "))
    except KeyError:
        return key, None
