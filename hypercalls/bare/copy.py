"""Copyin and copyout by the DMA engine (command block: minion/devices/dma.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypercalls.api import Buffer, Memory, Ready
from hypercalls.bare.intr import Interrupts
from hypercalls.bare.machine import DMA, DMA_IRQ, Machine
from hypercalls.common.pieces import PIECE_BYTES, unfinished_ns

COMMAND: Final = DMA
REQUEST: Final = DMA + 0x08
ATTACH: Final = 1
COPYIN: Final = 2
COPYOUT: Final = 3
WANT: Final = 4
END: Final = 5
DETACH: Final = 6
BLOCK: Final = 24
ERROR: Final = -16
PRIORITY: Final = 2
"""Above the line's: a close is seen before the request that followed it."""
MORE: Final = 1 << 62
"""In what REQUEST reads: another one waits."""
READY: Final = [Ready(n) for n in range(8)]
"""Looked up: making an IntFlag costs a microsecond."""


class DmaCopy:
    """api.Copy.  The command block stays in place; the doorbell's store runs it."""

    piece_bytes = PIECE_BYTES

    def __init__(self, machine: Machine, memory: Memory, interrupts: Interrupts) -> None:
        block = memory.alloc(BLOCK)
        if block is None:
            raise MemoryError("copy: no memory for the command block")
        self._request = machine.loader(REQUEST, 8)
        self._doorbell = machine.storer(COMMAND, 8)
        self._block = block
        self._block_addr = block.addr
        offset = block.addr - machine.ram_base
        self._u32 = machine.ram.cast("I")
        self._s32 = machine.ram.cast("i")
        self._u64 = machine.ram.cast("Q")
        self._index = offset >> 2
        self._ready: dict[int, Callable[[Ready], None]] = {}
        interrupts.establish(DMA_IRQ, self._interrupt, PRIORITY)

    def attach(self, chan: int, ready: Callable[[Ready], None]) -> None:
        self._ready[chan] = ready
        if self._command(ATTACH, chan) == ERROR:
            del self._ready[chan]
            raise OSError(23, "copy: too many channels")

    def copyin(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        return self._transfer(COPYIN, chan, buffer, offset, length)

    def copyout(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        return self._transfer(COPYOUT, chan, buffer, offset, length)

    def _transfer(self, op: int, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        assert 0 <= offset <= offset + length <= len(buffer.view), "copy: outside of the buffer"
        index = self._index
        u32 = self._u32
        u32[index] = op
        u32[index + 1] = chan
        self._u64[index + 2 >> 1] = buffer.addr + offset
        u32[index + 4] = length
        self._doorbell(self._block_addr)
        return self._s32[index + 5]

    def unfinished_ns(self, _chan: int, length: int) -> int:
        return unfinished_ns(length)

    def want(self, chan: int, events: Ready) -> None:
        self._command(WANT, chan, int(events))

    def end(self, chan: int) -> None:
        self._command(END, chan)

    def detach(self, chan: int) -> None:
        if self._ready.pop(chan, None) is not None:
            self._command(DETACH, chan)

    def _command(self, op: int, chan: int, length: int = 0) -> int:
        index = self._index
        u32 = self._u32
        u32[index] = op
        u32[index + 1] = chan
        u32[index + 4] = length
        self._doorbell(self._block_addr)
        return self._s32[index + 5]

    def _interrupt(self) -> None:
        read = self._request
        while request := read():
            ready = self._ready.get(request & 0xFFFF_FFFF)
            if ready is not None:
                ready(READY[request >> 32 & 7])
            if not request & MORE:
                break
