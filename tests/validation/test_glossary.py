"""Code and glossary have the same words: no name without its word, and no word without a name."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields

import pytest
from pages import ROOT

import sitq
from sitq.core import TaskStatus
from sitq.options import TaskOptions

DOORS = [sitq.TaskQueue, sitq.SyncTaskQueue, sitq.TaskHandle, sitq.Worker, sitq.Inspector]

# What names are made of beside the words of the glossary: plain English, and the names of others.
PLAIN = """
    as check close cloudpickle completed configuration connect current deserialize empty error execution
    follow from full gather get id info json list many map memory needs serialization signed sitq sqlite start
    stats stop sync tail until url validation
"""
_WORD = re.compile(r"SQLite|[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def _terms() -> list[str]:
    lines = re.findall(r"^\*\*.*", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    return [term.strip("`") for line in lines for term in re.findall(r"\*\*([^*]+)\*\*", line)]


def _words_of(names: Iterable[str]) -> set[str]:
    return {word.lower() for name in names for word in _WORD.findall(name)}


def _verbs_of(door: type) -> list[str]:
    kinds = [kind for kind in door.__mro__ if kind.__module__.startswith("sitq")]
    return [name for kind in kinds for name in vars(kind) if not name.startswith("_")]


def _named_in_code() -> Iterator[str]:
    """Name all that the library names: modules, classes, functions, arguments, fields, words that are values."""
    for path in (ROOT / "sitq").rglob("*.py"):
        yield path.stem
        for node in ast.walk(ast.parse(path.read_text())):
            texts = [value for value in vars(node).values() if isinstance(value, str)]
            yield from (text for text in texts if text.isidentifier() or not isinstance(node, ast.Constant))


def _missing(names: Iterable[str], words: set[str]) -> set[str]:
    return {word for word in _words_of(names) if not {word, word.removesuffix("s"), f"{word}s"} & words}


TERMS = _terms()
IN_GLOSSARY = _words_of(TERMS)
IN_CODE = _words_of(_named_in_code())
NAMES = [*sitq.__all__, *(field.name for field in fields(TaskOptions))]


@pytest.mark.parametrize("term", TERMS)
def test_every_term_of_the_glossary_is_a_word_of_the_code(term: str) -> None:
    assert not _missing([term], IN_CODE)


def test_no_term_is_in_the_glossary_twice() -> None:
    assert len(TERMS) == len(set(TERMS))


@pytest.mark.parametrize("name", NAMES)
def test_every_exported_name_and_option_is_made_of_words_of_the_glossary(name: str) -> None:
    assert not _missing([name], IN_GLOSSARY | _words_of([PLAIN]))


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_every_verb_of_a_door_is_made_of_words_of_the_glossary(door: type) -> None:
    assert not _missing(_verbs_of(door), IN_GLOSSARY | _words_of([PLAIN]))


def test_no_word_counts_as_plain_that_needs_not() -> None:
    names = [*NAMES, *(verb for door in DOORS for verb in _verbs_of(door))]
    assert _missing(names, IN_GLOSSARY) == _words_of([PLAIN])


@pytest.mark.parametrize("state", [*TaskStatus, "scheduled", "retrying", "blocked", "stalled"])
def test_every_state_is_in_the_glossary(state: str) -> None:
    assert state in TERMS
