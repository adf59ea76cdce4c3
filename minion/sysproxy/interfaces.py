"""Which interfaces there are, for getifaddrs(3) and its kin (struct minion_interface of abi.h)."""

from __future__ import annotations

from struct import Struct

from stack.netstack import Netstack

INTERFACE = Struct("<III4s4s8s16s")
LOOPBACK_FLAGS, ETHERNET_FLAGS = 0x49, 0x1043
"""IFF_UP and IFF_RUNNING, with IFF_LOOPBACK; with IFF_BROADCAST and IFF_MULTICAST."""


def interfaces(net: Netstack) -> bytes:
    """struct minion_interface, by index."""
    macs = {f"eth{n}": device.mac for n, device in enumerate(net.hyper.nets)}
    found = b""
    for index, one in enumerate(net.ip.interfaces, 1):
        flags = ETHERNET_FLAGS if one.name in macs else LOOPBACK_FLAGS
        addresses = one.address.to_bytes(4, "big"), one.netmask.to_bytes(4, "big")
        mac = macs.get(one.name, b"")
        found += INTERFACE.pack(index, flags, one.mtu_bytes, *addresses, mac, one.name.encode())
    return found
