"""sanitize: whatever a store holds, what comes out can be sent to a terminal, and hides nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitq.sanitize import BLOCK_LIMIT, LINE_LIMIT, clean, clean_block, first_line, without_password

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
HOSTILE = st.sampled_from(
    ["\x1b]52;c;UFdORUQ=\x07", "\x1b[2J", "\x9b31m", "\u202e", "\u200b", "\U000e0041", "\ud800", "\r"]
)
MIXED = st.lists(ANY_TEXT | HOSTILE, max_size=8).map("".join)


@given(MIXED)
def test_clean_gives_only_characters_that_print(text: str) -> None:
    assert clean(text).isprintable()


@given(MIXED)
def test_clean_block_gives_only_characters_that_print_and_newlines(text: str) -> None:
    assert clean_block(text).replace("\n", "").isprintable()


@given(MIXED)
def test_what_is_clean_can_be_encoded(text: str) -> None:
    assert clean(text).encode().decode() == clean(text)
    assert clean_block(text).encode().decode() == clean_block(text)


@given(MIXED, st.integers(min_value=1, max_value=300))
def test_clean_keeps_the_limit(text: str, limit: int) -> None:
    assert len(clean(text, limit)) <= limit


@given(MIXED)
def test_clean_leaves_clean_text_as_it_is(text: str) -> None:
    once = clean(text)

    assert clean(once) == once


@given(MIXED, MIXED)
def test_clean_hides_no_difference_between_short_texts(one: str, other: str) -> None:
    one, other = one[:20].replace("\\", "/"), other[:20].replace("\\", "/")
    pictures = any("\u2400" <= character <= "\u2421" for character in one + other)

    assert (clean(one) == clean(other)) == (one == other) or pictures


@given(st.binary(max_size=400))
def test_clean_takes_any_bytes(data: bytes) -> None:
    assert clean(data).isprintable()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("send_mail", "send_mail"),
        ("größe ∞ 数据 😀", "größe ∞ 数据 😀"),
        ("a\x1b]0;x\x07b", "a␛]0;x␇b"),
        ("rm\x08\x08", "rm␈␈"),
        ("one\ntwo\r", "one␊two␍"),
        ("del\x7f", "del␡"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edcb", "abc\\u202edcb"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028end", "line\\u2028end"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone\ud800", "lone\\ud800"),
        ("\u3164filler", "\\u3164filler"),
        ("heart\ufe0f", "heart\\ufe0f"),
        ("[red]x[/] [@click=app.quit]", "[red]x[/] [@click=app.quit]"),
    ],
)
def test_clean_shows_what_it_does_not_send(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_clean_decodes_bytes_and_shows_the_broken_ones() -> None:
    assert clean("größe".encode() + b"\xff") == "größe\\xff"


def test_clean_marks_what_it_cuts() -> None:
    assert clean("x" * 1000) == "x" * (LINE_LIMIT - 1) + "…"


def test_clean_block_keeps_lines_and_expands_tabs() -> None:
    assert clean_block("def f():\r\n\treturn 1\r") == "def f():\n    return 1␍"


def test_clean_block_tells_how_much_it_leaves_out() -> None:
    block = clean_block("y" * (BLOCK_LIMIT + 1234))

    assert block.endswith("y\n… 1,234 characters more")


@pytest.mark.parametrize("text", ["\n  ValueError: no\nmore", "ValueError: no\x85more", "ValueError: no\u2028more"])
def test_first_line_is_the_first_that_holds_something(text: str) -> None:
    assert first_line(text) == "ValueError: no"


def test_first_line_of_nothing_is_nothing() -> None:
    assert first_line(" \n ") == ""


@pytest.mark.parametrize(
    ("store", "shown"),
    [
        ("postgresql://app:secret@db.example.org/jobs?schema=a", "postgresql://app@db.example.org/jobs?schema=a"),
        ("redis://:secret@[::1]:6379/0", "redis://@[::1]:6379/0"),
        ("nats://app:se@cr:et@a:4222,b:4222", "nats://app@a:4222,b:4222"),
        ("redis://db.example.org:6379/0?x=a@b", "redis://db.example.org:6379/0?x=a@b"),
        ("/tmp/a:b@c.db", "/tmp/a:b@c.db"),
        ("cannot reach redis://a:b@c/1, redis://d:e@f/2", "cannot reach redis://a@c/1, redis://d@f/2"),
    ],
)
def test_a_store_is_named_without_its_password(store: str, shown: str) -> None:
    assert without_password(store) == shown
