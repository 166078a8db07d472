"""What a worker and its child processes say to each other: a few facts as JSON and some bytes, and no pickles."""

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

Frame = tuple[dict[str, Any], list[bytes]]

LENGTH = struct.Struct("!I")
_LENGTHS = "lengths"


def encode(facts: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """Make one frame: the length of its head, the head as JSON, and the blobs whose lengths the head tells."""
    head = json.dumps({**facts, _LENGTHS: [len(blob) for blob in blobs]}).encode()
    return b"".join((LENGTH.pack(len(head)), head, *blobs))


def decode_head(data: bytes) -> tuple[dict[str, Any], list[int]]:
    """Read a frame's head: its facts, and the lengths of the blobs that follow."""
    facts = json.loads(data)
    return facts, facts.pop(_LENGTHS)


def receive_frame(connection: socket.socket) -> Frame:
    """Read one frame, and block until it is there.

    Raises:
        EOFError: the other side is gone.
    """
    (length,) = LENGTH.unpack(_receive(connection, LENGTH.size))
    facts, lengths = decode_head(_receive(connection, length))
    return facts, [_receive(connection, size) for size in lengths]


def _receive(connection: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, place = memoryview(data), 0
    while place < size:
        got = connection.recv_into(view[place:])
        if got == 0:
            raise EOFError("the other side is gone")
        place += got
    return bytes(data)
