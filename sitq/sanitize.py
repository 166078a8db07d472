"""Makes text of anybody's code fit to be stored, and what a store holds harmless for the terminal that it is sent to.

Names, arguments, errors and tracebacks are written by anybody's code, and terminals obey what they are sent. What
would be obeyed, or would make text look like other text, is shown as a visible picture or escape. Nothing is deleted,
since deletion lets text lie.
"""

import re
from typing import NewType

Clean = NewType("Clean", str)
"""Text that a terminal can be sent: every character prints, or is a newline in a block."""

LINE_LIMIT = 256
ARGUMENTS_LIMIT = 4_096
BLOCK_LIMIT = 65_536
TAB_SIZE = 4

# `str.isprintable` refuses controls, bidi, zero-width, tag and private-use characters, odd spaces and lone
# surrogates. These it lets through although they are drawn as nothing, or change how their neighbour is drawn.
_INVISIBLE = frozenset(
    (
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    )
)
_CONTROL_PICTURES = 0x2400
_DELETE, _DELETE_PICTURE = 0x7F, "\u2421"

_PASSWORD = re.compile(r"(?<=://)([^/?#@]*?):[^/?#]*@")


def storable(text: str) -> str:
    """Escape lone surrogates, as file names that are no UTF-8 have them: no store takes them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def without_password(store: str) -> str:
    """Name a store for people: its path, or its URL without the password that stands in it."""
    return _PASSWORD.sub(r"\1@", store)


def clean(text: str | bytes, limit: int = LINE_LIMIT) -> Clean:
    """Make text a harmless single line of at most `limit` characters."""
    text = _decode(text)
    if len(text) <= limit and text.isprintable() and _INVISIBLE.isdisjoint(map(ord, text)):
        return Clean(text)
    shown = "".join(map(_show, text[: limit + 1]))
    return Clean(shown if len(shown) <= limit else shown[: limit - 1] + "…")


def clean_block(text: str | bytes, limit: int = BLOCK_LIMIT) -> Clean:
    """Make text of many lines harmless, tabs expanded; what exceeds `limit` characters is counted at its end."""
    text = _decode(text)
    lines = text[:limit].replace("\r\n", "\n").expandtabs(TAB_SIZE).split("\n")
    shown = "\n".join("".join(map(_show, line)) for line in lines)
    return Clean(shown if len(text) <= limit else f"{shown}\n… {len(text) - limit:,} characters more")


def first_line(text: str | bytes, limit: int = LINE_LIMIT) -> Clean:
    """Make the first line that holds something a harmless line."""
    lines = _decode(text).strip().splitlines()
    return clean(lines[0] if lines else "", limit)


def _decode(text: str | bytes) -> str:
    return text.decode("utf-8", errors="backslashreplace") if isinstance(text, bytes) else text


def _show(character: str) -> str:
    code = ord(character)
    if character.isprintable() and code not in _INVISIBLE:
        return character
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == _DELETE:
        return _DELETE_PICTURE
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
