"""Calls as a person types them."""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click


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
