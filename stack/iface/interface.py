"""What IP knows of an interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from hypercalls.api import Slice


class Interface(Protocol):
    name: str
    address: int
    """0 until configured."""
    netmask: int
    mtu_bytes: int
    gso_max_bytes: int
    """Largest IP packet accepted as a TCP super-segment; 0: none."""
    csum_offload: bool
    full: bool
    """Packets wait to be sent: who has much of it should wait for room (see Netstack)."""

    def output(
        self, next_hop: int, packet: bytes, payload: Sequence[Slice],
        csum_start: int, csum_offset: int, gso_size: int,
    ) -> None:  # fmt: skip
        """Send one IP packet (header and transport header in `packet`) to a neighbour.

        csum_start counts from the IP header; 0: checksums are complete.
        """
