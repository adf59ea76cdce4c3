"""Which local ports have connections and listeners: what bind and the search for a free port ask.

Theory of operation.  Connections are found by their four-tuple; who asks about a port alone would
have to look at all of them.  So each port counts them by local address, those in TIME-WAIT too.
"""

from __future__ import annotations


class PortUse:
    """Counts by port and local address."""

    __slots__ = ("_ports",)

    def __init__(self) -> None:
        self._ports: dict[int, dict[int, int]] = {}

    def add(self, address: int, port: int) -> None:
        addresses = self._ports.get(port)
        if addresses is None:
            self._ports[port] = {address: 1}
        else:
            addresses[address] = addresses.get(address, 0) + 1

    def remove(self, address: int, port: int) -> None:
        addresses = self._ports[port]
        left = addresses[address] - 1
        if left:
            addresses[address] = left
            return
        del addresses[address]
        if not addresses:
            del self._ports[port]

    def __contains__(self, port: int) -> bool:
        return port in self._ports

    def __len__(self) -> int:
        return len(self._ports)

    def overlaps(self, address: int, port: int) -> bool:
        """Whether anything on the port has a local address that conflicts; 0 is all of them."""
        addresses = self._ports.get(port)
        return addresses is not None and (not address or address in addresses or 0 in addresses)
