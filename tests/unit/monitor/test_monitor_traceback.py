"""traceback_view: own frames stand out, and no text is lost but what tells nothing."""

from sitq.sanitize import Clean
from sitq_monitor.widgets.paint import Part
from sitq_monitor.widgets.traceback_view import traceback_parts

TRACEBACK = Clean("""\
Traceback (most recent call last):
  File "/home/ada/.venv/lib/python3.12/site-packages/bank/client.py", line 212, in charge
    raise CardDeclined(reason)
  File "/home/ada/shop/billing.py", line 40, in charge_card
    charge = bank.charge(card)
             ^^^^^^^^^^^^^^^^^
bank.CardDeclined: insufficient_funds
""")


def parts_of(traceback: str, *, folded: bool) -> list[Part]:
    before, own = traceback_parts(Clean(traceback), folded=folded)
    return [*before, *own]


def style_of(text: str) -> str:
    return next(style for part, style in parts_of(TRACEBACK, folded=False) if text in part)


def text_of(traceback: str, *, folded: bool = False) -> str:
    return "".join(text for text, _ in parts_of(traceback, folded=folded))


def test_own_frames_stand_out() -> None:
    assert style_of("/home/ada/shop/billing.py:40") == "accent"
    assert style_of("charge_card") == "strong"
    assert style_of("charge = bank") == "name"


def test_library_frames_step_back_and_are_shortened() -> None:
    assert style_of("bank/client.py:212 in charge") == "faint"
    assert style_of("raise CardDeclined") == "faint"
    assert "site-packages" not in text_of(TRACEBACK)


def test_variables_of_a_frame_step_back_behind_its_code() -> None:
    lines = ['  File "feeds.py", line 84, in sync', "    total = price(line)", "    line = 'x'", "ValueError: no"]
    _, parts = traceback_parts(Clean("\n".join(lines)))

    styles = {text.strip(): style for text, style in parts}
    assert (styles["total = price(line)"], styles["line = 'x'"]) == ("name", "muted")


def test_error_is_told_in_red() -> None:
    assert style_of("bank.CardDeclined: insufficient_funds") == "failed"
    assert style_of("Traceback (most") == "muted"


def test_text_that_is_no_traceback_stays_as_it_is() -> None:
    text = "a custom error\n  of two lines: [bold]x[/]\n"

    assert text_of(text) == text


def test_frames_of_other_shapes_are_read() -> None:
    assert text_of('  File "<string>", line 1, in <module>') == "▾ <string>:1 in <module>\n"
    assert text_of('  File "a.py", line 3\n    x = = 1\n') == "▾ a.py:3\n    x = = 1\n"
    assert text_of('  File "C:\\venv\\Lib\\site-packages\\m.py", line 3, in f') == "  m.py:3 in f\n"


def test_library_frames_are_folded_into_their_number() -> None:
    text = text_of(TRACEBACK.replace("bank.CardDeclined:", "  frame\nbank.CardDeclined:"), folded=True)

    assert "▸ 1 library frame  … bank/client.py:212" in text
    assert "raise CardDeclined" not in text
    assert "billing.py:40 in charge_card" in text


def test_second_piece_begins_with_the_last_own_frame() -> None:
    outer = TRACEBACK.replace("billing.py", "run.py").splitlines(keepends=True)
    before, own = traceback_parts(Clean("".join([*outer[:3], *outer[3:6], *TRACEBACK.splitlines(keepends=True)[1:]])))

    assert "run.py:40" in "".join(text for text, _ in before)
    assert "".join(text for text, _ in own).startswith("▾ /home/ada/shop/billing.py:40")


def test_traceback_of_libraries_alone_is_written_whole() -> None:
    library = "".join(TRACEBACK.splitlines(keepends=True)[:3])

    assert text_of(library, folded=True).count("library frame") == 1


def test_frames_of_a_group_of_exceptions_are_read() -> None:
    text = text_of('  + Exception Group Traceback:\n  |   File "a.py", line 3, in f\n  |     x()\n')

    assert "a.py:3 in f" in text
