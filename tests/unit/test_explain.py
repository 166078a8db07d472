"""explain tells what a call would carry, and never raises for what cannot be pickled."""

import functools
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sitq.serialization.explaining import explain
from sitq.serialization.weights import Part, format_size

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
LOCK = threading.Lock()
SMALL = b"x" * 2_000
LARGE = b"x" * 300_000


class Model:
    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)

    def fit(self) -> None: ...


def sizes(parts: tuple[Part, ...]) -> list[int]:
    return [part.size or 0 for part in parts]


def test_parts_are_listed_largest_first() -> None:
    small = SMALL

    def train(frame: bytes, rounds: int = 3) -> tuple[object, ...]:
        return small, LARGE, frame

    parts = explain(train, b"x" * 5_000).parts
    assert [(part.kind, part.path, part.type) for part in parts] == [
        ("global", "function train -> global 'LARGE'", "bytes"),
        ("argument", "argument 0", "bytes"),
        ("closure", "function train -> closure 'small'", "bytes"),
        ("default", "function train -> default 'rounds'", "int"),
    ]
    assert sizes(parts) == sorted(sizes(parts), reverse=True)
    assert 300_000 < sizes(parts)[0] < 300_100


def test_the_size_is_that_of_the_whole_call() -> None:
    explanation = explain(lambda: LARGE, SMALL, more=SMALL[1:])

    assert explanation.size is not None
    assert 304_000 < explanation.size < 306_000


def test_captures_of_helpers_are_listed() -> None:
    def helper() -> int:
        return len(LARGE)

    paths = [part.path for part in explain(lambda: helper()).parts]
    assert "function <lambda> -> closure 'helper' -> global 'LARGE'" in paths


def test_what_makes_a_large_argument_large_is_listed() -> None:
    parts = explain(print, {"model": Model(name="a", weights=LARGE), "note": "small"}).parts

    assert [part.path for part in parts] == ["argument 0", "argument 0['model']", "argument 0['model'].weights"]


def test_a_long_chain_of_objects_is_followed_a_bounded_way() -> None:
    chain: list[object] = [LARGE]
    for _ in range(150):
        chain = [chain]

    assert 40 < len(explain(print, chain).parts) < 60


def test_the_object_of_a_method_and_the_arguments_of_a_partial_are_listed() -> None:
    assert explain(Model(weights=LARGE).fit).parts[-1].path == "function Model.fit -> self.weights"
    assert explain(functools.partial(print, LARGE)).parts[0].path == "function partial(print).args[0]"


def test_a_function_that_can_be_imported_goes_by_reference() -> None:
    explanation = explain(json.dumps, [1])

    assert (explanation.module, explanation.python, explanation.function) == ("json", None, "dumps")
    assert [part.path for part in explanation.parts] == ["argument 0"]


def test_a_function_that_cannot_be_imported_goes_by_value() -> None:
    explanation = explain(lambda: 1)

    assert (explanation.module, explanation.python) == (None, HERE)


def test_an_argument_with_code_needs_this_python_too() -> None:
    explanation = explain(json.dumps, lambda: 1)

    assert (explanation.module, explanation.python) == ("json", HERE)


def test_what_cannot_be_pickled_is_reported() -> None:
    explanation = explain(lambda: LOCK, LARGE)

    assert explanation.size is None
    assert explanation.problem == "function <lambda> -> global 'LOCK'"
    assert explanation.reason == "cannot pickle '_thread.lock' object"
    assert explanation.parts[0] == Part("global", "function <lambda> -> global 'LOCK'", "lock", None)


def test_an_open_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b")
    with (tmp_path / "data.csv").open() as file:
        explanation = explain(print, Model(source=[file]))

    assert explanation.problem is None
    assert explanation.warnings == (
        "argument 0.source[0] is an open file: its whole content would travel, not the handle; pass its path",
    )


def test_standard_output_is_no_open_file(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        assert explain(print, file=sys.__stdout__).warnings == ()


@pytest.mark.parametrize("argument", [1, "text", [1], Model(a=1), print, LOCK], ids=repr)
def test_harmless_and_unpicklable_arguments_do_not_warn(argument: object) -> None:
    assert explain(print, argument).warnings == ()


def test_the_report_reads_well() -> None:
    def train() -> int:
        return len(LARGE)

    assert str(explain(train, "text")).splitlines() == [
        f"train: {format_size(explain(train, 'text').size or 0)}; sent by value; runs on Python {HERE} only",
        "   293.0 KiB  bytes             function train -> global 'LARGE'",
        "        19 B  str               argument 0",
    ]


def test_the_report_of_a_problem_reads_well() -> None:
    assert repr(explain(print, [LOCK])).splitlines() == [
        "print: cannot be pickled; imported from builtins; runs on any Python",
        " unpicklable  list              argument 0",
        "problem: cannot pickle '_thread.lock' object: argument 0[0]",
    ]


def test_a_long_report_shows_the_ten_largest() -> None:
    lines = str(explain(print, *range(12))).splitlines()

    assert len(lines) == 12
    assert lines[-1].strip() == "and 2 smaller ones"


def test_a_report_of_an_odd_callable_is_made() -> None:
    class Odd:
        def __reduce__(self) -> Any:
            raise RuntimeError("no")

        def __call__(self) -> None: ...

    assert explain(Odd()).problem == "function Odd()"
