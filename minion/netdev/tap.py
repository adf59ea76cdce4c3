"""netdev `tap:NAME`: the host's kernel is the neighbour, with offload both ways (IFF_VNET_HDR).

The virtio_net_hdr passes unchanged, and frames go from guest memory to writev and from readv into
guest memory: nothing is touched on the way.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from select import EPOLLIN

from hypercalls.host.reactor import Reactor
from minion.netdev.api import NicPort

TUN = "/dev/net/tun"
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4 = 0x01, 0x02
VNET_BYTES = 12
NAME_MAX = 15
BATCH_MAX = 64
UNREAD_MAX = 256
"""Frames sent ahead of what the host answers: its queue to us holds 1,000; each may cause two."""
QUEUE_FRAMES = 10_000
"""That queue in an interface of our own making: for bursts of the host's."""
FULL_BATCHES = 4
"""So many full batches in a row make the next ones larger; trying costs a vain system call."""


class TapNetdev:
    """minion.netdev.api.Netdev."""

    def __init__(
        self, reactor: Reactor, name: str, host_address: str = "", prefix: int = 0
    ) -> None:
        """Attach to an interface, or make it and give it host_address/prefix.

        OSError with a message for people: no /dev/net/tun, no permission, busy, or a bad name.
        """
        self.counters = {"rx": 0, "tx": 0, "tx_dropped": 0, "rx_stalled": 0}
        self._reactor = reactor
        self._limit = 1
        self._full = 0
        self._reading = True
        self._unread = 0
        """Frames sent since everything the host had to say was read, less those read since."""
        self._held = False
        self.name = name
        exists = os.path.exists(f"/sys/class/net/{name}")
        self._fd = open_tap(name)
        try:
            if host_address and not exists:
                address_interface(name, host_address, prefix)
        except BaseException:
            os.close(self._fd)
            raise

    def attach(self, port: NicPort) -> None:
        self._port = port
        port.on_rx_space(self._space)
        self._reactor.register(self._fd, EPOLLIN, self._readable)

    def _readable(self, _events: int) -> None:
        """Read a batch; its size follows the load, so that one frame costs one system call."""
        port, fd = self._port, self._fd
        limit = BATCH_MAX if self._held else self._limit
        count = 0
        try:
            while count < limit:
                buffer = port.rx_buffer()
                if buffer is None:
                    self._stall()
                    break
                port.rx_commit(os.readv(fd, [buffer]))
                count += 1
            else:
                self._full += 1
                if self._full >= FULL_BATCHES:
                    self._full = 0
                    self._limit = min(limit * 2, BATCH_MAX)
        except BlockingIOError:
            self._full = self._unread = 0
            self._limit = max(1, count)
        if count:
            self.counters["rx"] += count
            self._unread -= count
            port.rx_done()
        if self._held and self._unread < UNREAD_MAX // 2:
            self._held = False
            port.tx_ready()

    def _stall(self) -> None:
        """No guest buffers: the interface's queue fills, and then drops, as on a real NIC."""
        self.counters["rx_stalled"] += 1
        self._reading = False
        self._reactor.modify(self._fd, 0)

    def _space(self) -> None:
        if not self._reading:
            self._reading = True
            self._reactor.modify(self._fd, EPOLLIN)

    def transmit(self, frame: list[memoryview]) -> None:
        try:
            os.writev(self._fd, frame)
            self.counters["tx"] += 1
            self._unread += 1
            if self._unread >= UNREAD_MAX and not self._held:
                self._hold()
        except OSError:
            self.counters["tx_dropped"] += 1  # down, full, or a frame that makes no sense

    def _hold(self) -> None:
        """Hear the host out before saying more, or its answers overrun its queue.

        It may have nothing to say, so the look at its queue does not wait for an event.
        """
        self._held = True
        self._port.tx_hold()
        self._reactor.call_at(0, self._look)

    def _look(self) -> None:
        if self._held and self._reading:
            self._readable(0)

    def flush(self) -> None:
        """Every frame is its own system call."""

    def close(self) -> None:
        self._reactor.unregister(self._fd)
        os.close(self._fd)


def open_tap(name: str) -> int:
    if not name or len(name) > NAME_MAX or "/" in name or not name.isascii():
        raise OSError(errno.EINVAL, f"tap: {name!r} is not an interface name")
    try:
        fd = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(
            error.errno, f"tap: cannot open {TUN} ({error.strerror}); use --netdev user instead"
        ) from None
    try:
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", VNET_BYTES))
        fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4)
    except OSError as error:
        os.close(fd)
        reasons = {
            errno.EPERM: f"no permission for {name}; make it once as root: "
            f"ip tuntap add {name} mode tap user {os.getuid()}; or use --netdev user",
            errno.EBUSY: f"{name} is in use by another program",
            errno.EINVAL: f"{name} exists and is not a TAP interface",
        }
        reason = reasons.get(error.errno or 0, error.strerror)
        raise OSError(error.errno, f"tap: {reason}") from None
    return fd


def address_interface(name: str, address: str, prefix: int) -> None:
    """Give a new interface its address and bring it up."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as route:
            index = route.link_lookup(ifname=name)[0]
            route.addr("add", index=index, address=address, prefixlen=prefix)
            route.link("set", index=index, state="up", txqlen=QUEUE_FRAMES)
    except NetlinkError as error:
        raise OSError(error.code, f"tap: cannot address {name}: {error.args[-1]}") from None
