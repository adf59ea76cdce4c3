"""Between the NIC and what its cable is plugged into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class NicPort(Protocol):
    """The NIC as its netdev sees it.

    Frames pass with their 12-byte virtio_net_hdr in front (VIRTIO 1.2, 5.1.6) and touch no buffer
    between: a netdev reads straight into the guest's memory.
    """

    mac: bytes
    mtu_bytes: int
    guest_csum: bool
    """The guest takes frames whose checksum is left open (VIRTIO_NET_HDR_F_NEEDS_CSUM)."""
    guest_tso4: bool
    """The guest takes TCP super-segments over IPv4."""
    guest_tso6: bool

    def rx_buffer(self) -> memoryview | None:
        """The guest's next receive buffer, header first; the same one until it is committed.

        None when the guest has posted none: stop reading until on_rx_space's handler is called.
        """

    def rx_commit(self, length: int) -> None:
        """Hand over the buffer, of which the first length bytes (header included) were written."""

    def rx_done(self) -> None:
        """Interrupt the guest for what was committed since the last rx_done."""

    def tx_hold(self) -> None:
        """Hand over no more frames until tx_ready: they wait in the guest's ring, and its driver
        for room there.  In transmit: from the next frame on."""

    def tx_ready(self) -> None:
        """Frames are taken again; those that waited are handed over before this returns."""

    def on_rx_space(self, handler: Callable[[], None]) -> None:
        """Call handler when there are buffers again after rx_buffer returned None."""


class Netdev(Protocol):
    counters: dict[str, int]

    def attach(self, port: NicPort) -> None:
        """Plug the cable in.  Called once, before anything else."""

    def transmit(self, frame: list[memoryview]) -> None:
        """Send one frame, header first.  The views are the guest's: not to be kept after return.

        The guest chose every byte of it: a frame that makes no sense is counted and dropped.
        """

    def flush(self) -> None:
        """The batch is over; called after the last transmit of one doorbell."""

    def close(self) -> None: ...
