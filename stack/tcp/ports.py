"""Which local ports are taken, and by whom: what bind, listen and the search for a port ask.

Theory of operation.  A bound socket holds its port (Hold).  Connections are found by their
four-tuple; who asks about a port alone would have to look at all of them.  So each port counts them
by local address, those in TIME-WAIT too, and by what they allow others: REUSE_ADDRESS, REUSE_PORT.

Two may share a port if their addresses differ; or if both have SO_REUSEADDR, and the one that was
there does not listen; or if both have SO_REUSEPORT (Linux: inet_bind_conflict()).
"""

from __future__ import annotations

from typing import Final

REUSE_ADDRESS: Final = 1
REUSE_PORT: Final = 2


def overlap(one: int, other: int) -> bool:
    """Whether two local addresses of sockets on one port conflict; 0 is all of them."""
    return not one or not other or one == other


class Hold:
    """A bound socket's claim to its port, until it is closed."""

    __slots__ = ("address", "listening", "port", "reuse")

    def __init__(self, address: int, port: int, reuse: int) -> None:
        self.address = address
        self.port = port
        self.reuse = reuse
        """REUSE_ADDRESS, REUSE_PORT; follows the socket's options."""
        self.listening = False

    def conflicts(self, other: Hold) -> bool:
        """Whether this one cannot be where the other is already."""
        if not overlap(self.address, other.address):
            return False
        common = self.reuse & other.reuse
        return not (common & REUSE_PORT or (common & REUSE_ADDRESS and not other.listening))


class PortUse:
    """Counts by port, local address, and what is allowed to others."""

    __slots__ = ("_ports",)

    def __init__(self) -> None:
        self._ports: dict[int, dict[int, list[int]]] = {}

    def add(self, address: int, port: int, reuse: int = 0) -> None:
        addresses = self._ports.get(port)
        if addresses is None:
            addresses = self._ports[port] = {}
        counts = addresses.get(address)
        if counts is None:
            counts = addresses[address] = [0, 0, 0, 0]
        counts[reuse] += 1

    def remove(self, address: int, port: int, reuse: int) -> None:
        addresses = self._ports[port]
        counts = addresses[address]
        counts[reuse] -= 1
        if any(counts):
            return
        del addresses[address]
        if not addresses:
            del self._ports[port]

    def __contains__(self, port: int) -> bool:
        return port in self._ports

    def __len__(self) -> int:
        return len(self._ports)

    def conflicts(self, hold: Hold) -> bool:
        """Whether anything here does not let hold be on its port."""
        addresses = self._ports.get(hold.port)
        if addresses is None:
            return False
        for address, counts in addresses.items():
            if overlap(hold.address, address):
                for reuse in range(4):
                    if counts[reuse] and not hold.reuse & reuse:
                        return True
        return False
