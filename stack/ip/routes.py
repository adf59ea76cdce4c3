"""The routing table: longest prefix first (RFC 1812, 5.2.4.3)."""

from __future__ import annotations

from dataclasses import dataclass

from stack.iface.interface import Interface


@dataclass(slots=True)
class Route:
    network: int
    netmask: int
    interface: Interface
    gateway: int
    """0: the destination is on the link."""

    def next_hop(self, dst: int) -> int:
        return self.gateway or dst


class Routes:
    def __init__(self) -> None:
        self.table: list[Route] = []
        self.generation = 0
        """Changes with the table, so that a cached route can be recognised as stale."""

    def add(self, network: int, netmask: int, interface: Interface, gateway: int = 0) -> Route:
        route = Route(network & netmask, netmask, interface, gateway)
        self.table = [r for r in self.table if (r.network, r.netmask) != (route.network, netmask)]
        self.table.append(route)
        self.table.sort(key=lambda r: -r.netmask)
        self.generation += 1
        return route

    def lookup(self, dst: int) -> Route | None:
        for route in self.table:
            if dst & route.netmask == route.network:
                return route
        return None
