"""What a worker and its child processes say to each other: a few facts as JSON and some bytes, and no pickles."""

import json
import socket
import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sitq.core import Cause, Claim, Outcome, Result, TaskStatus

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


def call_frame(claim: Claim) -> Frame:
    """Write a claim, with the values that its call needs."""
    facts = claim._asdict()
    payload, results = facts.pop("payload"), (facts.pop("inputs") or {}).values()
    facts["scheduled_at"] = claim.scheduled_at and claim.scheduled_at.isoformat()
    inputs = [
        {"task_id": result.task_id, "status": result.status, "error": result.error, "traceback": result.traceback}
        for result in results
    ]
    return {"kind": "call", "claim": facts, "inputs": inputs}, [payload, *(result.value or b"" for result in results)]


def claim_of(frame: Frame) -> Claim:
    """Read what `call_frame` has written."""
    facts, (payload, *values) = frame
    inputs = [
        Result(**{**told, "status": TaskStatus(told["status"])}, value=value)
        for told, value in zip(facts["inputs"], values, strict=True)
    ]
    moment = facts["claim"]["scheduled_at"]
    known = {**facts["claim"], "scheduled_at": moment and datetime.fromisoformat(moment)}
    return Claim(**known, payload=payload, inputs={result.task_id: result for result in inputs})


def outcome_frame(outcome: Outcome) -> Frame:
    """Write an outcome."""
    facts = outcome._replace(value=None)._asdict()
    return {"kind": "outcome", "outcome": facts}, [] if outcome.value is None else [outcome.value]


def outcome_of(frame: Frame) -> Outcome:
    """Read what `outcome_frame` has written."""
    facts, blobs = frame
    told = facts["outcome"]
    known = {**told, "status": TaskStatus(told["status"]), "cause": Cause(told["cause"])}
    return Outcome(**{**known, "value": blobs[0] if blobs else None})
