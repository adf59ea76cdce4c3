"""The send buffer and the receive queue: slices of memory, never copies.

Positions are sequence numbers, unwrapped (see tcb.py).  The send buffer keeps what may have to be
sent again, until it is acknowledged; the receive queue keeps what the reader has not taken.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from hypercalls.api import Buffer, Memory, Slice

ROOM_MIN_BYTES: Final = 256
ROOM_MAX_BYTES: Final = 16384
"""Of buffers that received bytes are copied into."""


class Chunk:
    """A run of the stream in one buffer."""

    __slots__ = ("buffer", "end", "offset", "seq")

    def __init__(self, buffer: Buffer, offset: int, seq: int, end: int) -> None:
        self.buffer = buffer
        self.offset = offset
        self.seq = seq
        self.end = end


class SendBuffer:
    __slots__ = ("_chunks", "_cursor", "charge", "end", "start")

    def __init__(self, seq: int) -> None:
        self.start = seq
        """Of the first byte held."""
        self.end = seq
        """Past the last byte held."""
        self.charge = 0
        """What the buffers take from memory."""
        self._chunks: list[Chunk] = []
        self._cursor = 0

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, buffer: Buffer, offset: int, length: int) -> None:
        """Add length bytes; they must not be changed until they are acknowledged."""
        end = self.end + length
        chunks = self._chunks
        if chunks:
            last = chunks[-1]
            if last.buffer is buffer and last.offset + last.end - last.seq == offset:
                last.end = self.end = end  # the next bytes of the same buffer
                return
        chunks.append(Chunk(buffer, offset, self.end, end))
        self.charge += buffer.cost_bytes
        self.end = end

    def acknowledge(self, seq: int) -> None:
        """Forget everything before seq, and let go of its memory."""
        chunks = self._chunks
        if seq >= self.end:  # all of it, as between requests
            chunks.clear()
            self.charge = 0
            self._cursor = 0
            self.start = self.end
            return
        count = 0
        while chunks[count].end <= seq:
            self.charge -= chunks[count].buffer.cost_bytes
            count += 1
        if count:
            del chunks[:count]
            self._cursor = max(0, self._cursor - count)
        first = chunks[0]
        if first.seq < seq:
            first.offset += seq - first.seq
            first.seq = seq
        self.start = seq

    def gather(self, seq: int, length: int, max_slices: int) -> list[Slice]:
        """The bytes from seq on, at most length of them in at most max_slices pieces."""
        chunks = self._chunks
        at = self._cursor
        if at >= len(chunks) or chunks[at].seq > seq:
            at = 0
        while chunks[at].end <= seq:
            at += 1
        out: list[Slice] = []
        while length > 0 and len(out) < max_slices:
            chunk = chunks[at]
            skip = seq - chunk.seq
            count = min(length, chunk.end - seq)
            out.append((chunk.buffer, chunk.offset + skip, count))
            seq += count
            length -= count
            if seq == chunk.end:
                at += 1
        self._cursor = at
        return out


class ReceiveQueue:
    """In-order bytes.  Small pieces share a buffer: the last one takes what comes next."""

    __slots__ = ("_slices", "_spare", "charge", "length")

    def __init__(self) -> None:
        self._slices: deque[Slice] = deque()
        self._spare = 0
        """Bytes of the last buffer behind its slice, which are nobody's yet."""
        self.charge = 0
        """What the buffers take from memory."""
        self.length = 0

    def append(self, item: Slice) -> None:
        """Take a share of a buffer that is no other slice's."""
        self._slices.append(item)
        self._spare = 0
        self.length += item[2]
        self.charge += item[0].cost_bytes

    def append_copy(self, memory: Memory, data: memoryview) -> int:
        """Copy bytes behind the last ones.  How many there was memory for."""
        length = len(data)
        taken = 0
        if self._spare:
            buffer, offset, count = self._slices[-1]
            taken = min(length, self._spare)
            end = offset + count
            buffer.view[end : end + taken] = data[:taken]
            self._slices[-1] = buffer, offset, count + taken
            self._spare -= taken
            self.length += taken
        while taken < length:
            # Small ones, which are found when there is no large one any more
            piece = min(length - taken, ROOM_MAX_BYTES)
            size = max(piece, min(max(ROOM_MIN_BYTES, self.charge >> 2), ROOM_MAX_BYTES))
            room = memory.alloc(size)
            if room is None and size > piece:
                size = piece
                room = memory.alloc(size)
            if room is None:
                break
            room.view[:piece] = data[taken : taken + piece]
            self.append((room, 0, piece))
            self._spare = size - piece
            taken += piece
        return taken

    def peek(self) -> Slice | None:
        """The first run of unread bytes."""
        return self._slices[0] if self._slices else None

    def slices(self) -> list[Slice]:
        """All unread runs, in order."""
        return list(self._slices)

    def consume(self, length: int) -> None:
        """The reader has taken length bytes of the first run."""
        slices = self._slices
        buffer, offset, count = slices.popleft()
        self.length -= length
        if length < count:
            slices.appendleft((buffer, offset + length, count - length))
            return
        self.charge -= buffer.cost_bytes
        if not slices:
            self._spare = 0

    def clear(self) -> None:
        self._slices.clear()
        self.length = self.charge = self._spare = 0
