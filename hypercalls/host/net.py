"""A network device on a descriptor that keeps messages apart: one frame per read and write.

That is a TAP device (opened with IFF_NO_PI), or an AF_UNIX socket of type SOCK_SEQPACKET or
SOCK_DGRAM.  There is no offload: the minion's NIC is for speed, this one for tests and for a stack
beside an existing interface.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

from hypercalls.api import Buffer, Memory, Slice
from hypercalls.host.interest import Interest
from hypercalls.host.reactor import IN, Reactor

ETHERNET: Final = 14
IOV_MAX: Final = 1024


class FdFrame:
    """api.Frame; the device has one, and fills its buffer anew unless it was kept."""

    __slots__ = ("_net", "buffer", "csum_ok", "gso_size", "offset", "view")

    def __init__(self, net: FdNet, buffer: Buffer) -> None:
        self._net = net
        self.buffer = buffer
        self.view = buffer.view
        self.offset = 0
        self.csum_ok = False
        self.gso_size = 0

    def keep(self) -> Slice | None:
        return self._net.keep(self)


class FdNet:
    """api.Net."""

    gso_max_bytes = 0
    csum_offload = False

    def __init__(
        self, reactor: Reactor, memory: Memory, fd: int, mac: bytes, mtu_bytes: int
    ) -> None:
        os.set_blocking(fd, False)
        self.mac = mac
        self.mtu_bytes = mtu_bytes
        self.counters = {"tx_packets": 0, "tx_dropped": 0, "rx_packets": 0, "rx_runts": 0}
        self._interest = Interest(reactor, fd, self._readable)
        self._memory = memory
        self._fd = fd
        buffer = memory.alloc(mtu_bytes + ETHERNET)
        if buffer is None:
            raise MemoryError("net: no memory for a frame")
        self._frame = FdFrame(self, buffer)
        self._told = False
        self._on_receive: Callable[[], None] | None = None

    def send(
        self,
        header: bytes,
        payload: Sequence[Slice] = (),
        csum_start: int = 0,
        csum_offset: int = 0,
        gso_size: int = 0,
    ) -> None:
        assert csum_start == csum_offset == gso_size == 0, "net: no offload here"
        parts: list[bytes | memoryview] = [header]
        parts += [buffer.view[offset : offset + length] for buffer, offset, length in payload]
        if len(parts) > IOV_MAX:
            parts = [b"".join(parts)]
        try:
            os.writev(self._fd, parts)
            self.counters["tx_packets"] += 1
        except OSError:  # full, or nobody is there: a wire does not say
            self.counters["tx_dropped"] += 1

    def flush(self) -> None:
        """Each send was its own system call."""

    def on_full(self, handler: Callable[[bool], None]) -> None:
        """Frames do not wait here: what is too much is lost."""

    def recv(self) -> FdFrame | None:
        frame = self._frame
        while True:
            try:
                length = os.readv(self._fd, [frame.buffer.view])
            except BlockingIOError:
                self._told = False
                if self._on_receive is not None:
                    self._interest.set(IN)
                return None
            except OSError:  # the device is gone
                length = 0
            if not length:  # the other end was closed: readable for ever
                self._interest.drop()
                return None
            if length >= ETHERNET:
                break
            self.counters["rx_runts"] += 1
        self.counters["rx_packets"] += 1
        frame.view = frame.buffer.view[:length]
        return frame

    def keep(self, frame: FdFrame) -> Slice | None:
        """FdFrame.keep: a copy, of the length the frame has."""
        length = len(frame.view)
        buffer = self._memory.alloc(length)
        if buffer is None:
            return None
        buffer.view[:] = frame.view
        return buffer, 0, length

    def on_receive(self, handler: Callable[[], None]) -> None:
        self._on_receive = handler
        self._interest.set(IN)

    def _readable(self, _mask: int) -> None:
        if self._told:
            self._interest.drop()  # until recv has found nothing
        elif self._on_receive is not None:
            self._told = True
            self._on_receive()

    def close(self) -> None:
        self._interest.drop()
        os.close(self._fd)
