"""The magics in a real kernel: a cell becomes a task, with only what it reads."""

import pytest
from kernels import Kernel, Run

BEGIN = "w = start_worker(folder + '/jobs.db')\n%load_ext sitq"


def test_cell_runs_as_a_task_and_its_last_expression_is_the_value(run: Run) -> None:
    run("%%sitq -n sum -o h\ntotal = 0\nfor n in range(4):\n    total += n\ntotal")

    assert run("h.result(5), h == w['sum']").text == "(6, True)"


def test_cell_copies_only_the_names_that_it_reads(run: Run) -> None:
    run("big = bytes(10_000_000)\nfactor = 7\ndef scale(x): return factor * x")

    said = run("%%sitq -o h\nscale(6)")

    assert said.text.startswith("sitq: copied scale (")
    assert "big" not in said.text
    assert run("h.result(5)").text == "42"


def test_cell_that_writes_a_name_leaves_the_notebook_as_it_is(run: Run) -> None:
    run("x = 1")
    run("%%sitq -o h\nx += 1\nx")

    assert run("h.result(5), x").text == "(2, 1)"


def test_cell_may_await_at_its_top_level(run: Run) -> None:
    run("%%sitq -o h\nimport asyncio\nawait asyncio.sleep(0.01)\nawait asyncio.sleep(0, 'done')")

    assert run("await h").text == "'done'"


def test_cell_of_statements_only_gives_none(run: Run) -> None:
    run("%%sitq -o h\nx = 1")

    assert run("print(h.result(5))").text == "None\n"


def test_traceback_shows_the_line_of_the_cell(run: Run) -> None:
    run("%%sitq -n broken -o h\nx = 0\n1 / x")

    cell = run("try:\n    h.result(5)\nexcept Exception as exc:\n    print(exc, exc.__notes__)")

    assert "ZeroDivisionError" in cell.text
    assert "<%%sitq broken>" in cell.text
    assert "1 / x" in cell.text


def test_cell_with_a_syntax_error_is_refused_at_once(kernel: Kernel, run: Run) -> None:
    cell = kernel.run("%%sitq -n wrong\nfor in x")

    assert cell.error == "SyntaxError"
    assert run("w.tasks()").text == "no tasks"


def test_what_cannot_be_copied_is_named(kernel: Kernel, run: Run) -> None:
    run("lock = threading.Lock()")

    cell = kernel.run("%%sitq\nlock.acquire()")

    assert cell.error == "SerializationError"
    assert "'lock'" in cell.traceback


def test_line_magic_looks_at_tasks_and_acts_on_them(run: Run) -> None:
    run("h = w.submit(time.sleep, 0, name='nap'); h.result(5); later = w.submit(len, 'a', name='late', eta=None)")

    assert "success" in run("%sitq show nap").text
    assert "BackgroundWorker" in run("%sitq").text
    assert run("%sitq cancel nap").text == "False"
    assert run("%sitq requeue {h}").text == "False"


def test_logs_print_what_a_task_wrote_also_while_it_runs(run: Run) -> None:
    run("def speak():\n    print('half\\x1b[2J way', flush=True)\n    time.sleep(1)\nh = w.submit(speak)")
    run("while 'half' not in h.output: time.sleep(0.01)")

    assert run("%sitq logs speak").text == "half␛[2J way\n"


def test_logs_of_a_silent_task_say_so(run: Run) -> None:
    task_id = run("h = w.submit(len, 'a', name='mute'); h.result(5); print(h)").text.strip()

    assert run("%sitq logs mute").text == f"sitq: task {task_id} has written nothing\n"


def test_logs_alone_print_what_the_worker_said_of_itself(run: Run) -> None:
    said = run("""
        %sitq logs
        import logging; logging.getLogger("sitq").setLevel("INFO")
        h = w.submit(len, "a", name="loud"); h.result(5)
        time.sleep(0.1)
        %sitq logs
        logging.getLogger("sitq").setLevel("NOTSET")
        print(str(h) in w.log(), len(w.log(2).splitlines()))
    """)

    assert "has said nothing" in said.text.splitlines()[0]
    assert "attempt 1 of loud begins" in said.text
    assert said.text.endswith("True 2\n")


@pytest.mark.parametrize("line", ["cancel", "logs a b", "explode nap", "status now"])
def test_line_magic_that_makes_no_sense_says_what_would(kernel: Kernel, run: Run, line: str) -> None:
    cell = kernel.run(f"%sitq {line}")

    assert cell.error == "UsageError" or "UsageError" in cell.text
    assert "show TASK" in cell.text + cell.traceback
