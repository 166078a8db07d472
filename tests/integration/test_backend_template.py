"""The contract suite on a store that somebody else wrote: on the template nothing passes but what is done there."""

import ast
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from processes import ROOT

from sitq.backends.base import Backend

SUITE = ROOT / "tests" / "integration" / "contract"
TEMPLATE = ROOT / "examples" / "backend_template"
DONE = {  # what needs no verb
    "test_close_twice_is_harmless",
    "test_close_before_connect_is_harmless",
    "test_connected_tells_whether_the_store_is_open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one test of the suite came to; `trouble` is empty when it passed."""

    module: str
    test: str
    trouble: str


def run_suite(folder: Path, store: str, *modules: str) -> list[Outcome]:
    """Run the suite, or some of its modules, as the page on adding a backend says."""
    report = folder / "report.xml"
    paths = [str(SUITE / module) for module in modules] or [str(SUITE)]
    subprocess.run(
        [sys.executable, "-m", "pytest", *paths, "--store", store, f"--junitxml={report}", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(TEMPLATE), os.environ.get("PYTHONPATH")]))},
        capture_output=True,
        check=False,
        timeout=600,
    )
    return [
        Outcome(
            module=(case.get("classname") or "").rpartition(".")[2],
            test=(case.get("name") or "").partition("[")[0],
            trouble="".join(child.get("message") or "" for child in case if child.tag in ("failure", "error")),
        )
        for case in ElementTree.parse(report).iter("testcase")
    ]


def test_template_has_every_verb_of_the_contract() -> None:
    tree = ast.parse((TEMPLATE / "template_backend.py").read_text("utf-8"))
    written = {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}

    assert Backend.__abstractmethods__ - written == set()


def test_suite_on_the_template_passes_what_needs_no_verb_and_says_what_is_missing(tmp_path: Path) -> None:
    outcomes = run_suite(tmp_path, "template_backend:TemplateBackend", "test_connect.py", "test_stats.py")

    passed = {outcome.test for outcome in outcomes if not outcome.trouble}
    assert passed == DONE
    assert all("is not written yet" in outcome.trouble for outcome in outcomes if outcome.test not in DONE)


@pytest.mark.slow
def test_suite_on_the_template_fails_for_every_verb(tmp_path: Path) -> None:
    failed: dict[str, set[bool]] = defaultdict(set)
    for outcome in run_suite(tmp_path, "template_backend:TemplateBackend"):
        failed[outcome.module].add("is not written yet" in outcome.trouble)

    assert all(True in failed[path.stem] for path in SUITE.glob("test_*.py"))


def test_suite_on_a_whole_store_of_a_factory_passes(tmp_path: Path) -> None:
    outcomes = run_suite(tmp_path, "sitq.backends.sqlite:MemoryBackend", "test_connect.py", "test_enqueue.py")

    assert len(outcomes) > 10
    assert [outcome for outcome in outcomes if outcome.trouble] == []


@pytest.mark.slow
def test_whole_suite_on_a_whole_store_of_a_factory_passes(tmp_path: Path) -> None:
    outcomes = run_suite(tmp_path, "sitq.backends.sqlite:MemoryBackend")

    assert {outcome.module for outcome in outcomes} == {path.stem for path in SUITE.glob("test_*.py")}
    assert [outcome for outcome in outcomes if outcome.trouble] == []


def test_factory_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    program = subprocess.run(
        [sys.executable, "-m", "pytest", str(SUITE / "test_connect.py"), "--store", "sitq:NoStore"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert program.stderr.startswith("ERROR: --store must name a factory as MODULE:FACTORY, got sitq:NoStore")
