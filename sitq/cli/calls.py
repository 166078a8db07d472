"""Calls as a person types them."""

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from sitq.import_paths import import_function

if TYPE_CHECKING:
    from sitq.backends.base import Backend
    from sitq.queue import TaskQueue
    from sitq.serialization import Serializer

serializer_option = click.option(
    "--serializer", metavar="MODULE:FUNCTION", help="Makes the serializer; cloudpickle's unless given."
)


def serializer_of(path: str | None) -> "Serializer | None":
    """Make the serializer that a function or a class of a module gives when it is called.

    Raises:
        SerializationError: there is no such function.
    """
    if path is None:
        return None
    serializer: Serializer = import_function(path)()
    return serializer


def queue_on(store: "str | Backend", serializer: str | None) -> "TaskQueue":
    """Make an unopened queue that writes with the serializer of this name."""
    from sitq.queue import TaskQueue

    return TaskQueue(store, serializer_of(serializer))


def import_from_here() -> None:
    """Find modules of the current folder, as `python script.py` does."""
    sys.path.insert(0, os.getcwd())


def arguments_of(texts: Sequence[str]) -> list[Any]:
    """Read arguments as JSON; what is no JSON is text."""
    return [_argument(text) for text in texts]


def _argument(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def keywords_of(text: str) -> dict[str, Any]:
    """Read keyword arguments from a JSON object.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        keywords = json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"must be a JSON object such as '{{\"x\": 1}}', got {text}: {exc}") from exc
    if not isinstance(keywords, dict):
        raise click.BadParameter(f"must be a JSON object such as '{{\"x\": 1}}', got {text}")
    return keywords
