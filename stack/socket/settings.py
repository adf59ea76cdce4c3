"""What has been set on a stream socket: kept here, and in its connection once there is one."""

from __future__ import annotations

from stack.netstack import Netstack
from stack.tcp.ports import REUSE_ADDRESS, REUSE_PORT, Hold
from stack.tcp.state import MAY_SEND
from stack.tcp.tcb import Tcb


class Settings:
    __slots__ = (
        "_cookie", "_hold", "_net", "_options", "device", "kept", "kept_bytes", "tcb",
    )  # fmt: skip

    def __init__(self, net: Netstack) -> None:
        self._net = net
        self.tcb: Tcb | None = None
        self._cookie = 0
        self._hold: Hold | None = None
        self._options: dict[str, int] = {}
        self.kept: dict[tuple[int, int], int] = {}
        """Options that change nothing here: what was set is what is read."""
        self.kept_bytes: dict[tuple[int, int], bytes] = {}
        self.device = 0
        """SO_BINDTODEVICE: an interface's index."""

    def configure(self, name: str, value: int) -> None:
        """Set an attribute of the connection, now or when there is one; accepted ones inherit."""
        self._options[name] = value
        if self.tcb is not None:
            setattr(self.tcb, name, value)

    def _apply(self, tcb: Tcb) -> None:
        for name, value in self._options.items():
            setattr(tcb, name, value)

    def effective(self, name: str) -> int:
        """The value of an attribute as it is, or would be for a new connection."""
        if self.tcb is not None:
            value: int = getattr(self.tcb, name)
            return value
        return self._options.get(name, self._net.defaults[name])

    def default(self, name: str) -> int:
        """Of an attribute that nobody has set."""
        return self._net.defaults[name]

    def _set_reuse(self, bit: int, on: bool) -> None:
        reuse = self._options.get("reuse", 0)
        reuse = reuse | bit if on else reuse & ~bit
        self._options["reuse"] = reuse
        if self._hold is not None:
            self._hold.reuse = reuse
        if self.tcb is not None:
            self._net.tcp.connections.reuse(self.tcb, reuse)

    @property
    def reuse_address(self) -> bool:
        return self._options.get("reuse", 0) & REUSE_ADDRESS != 0

    @reuse_address.setter
    def reuse_address(self, on: bool) -> None:
        self._set_reuse(REUSE_ADDRESS, on)

    @property
    def reuse_port(self) -> bool:
        return self._options.get("reuse", 0) & REUSE_PORT != 0

    @reuse_port.setter
    def reuse_port(self, on: bool) -> None:
        self._set_reuse(REUSE_PORT, on)

    def cookie(self) -> int:
        """SO_COOKIE: no other socket's."""
        if not self._cookie:
            self._net.sockets_made += 1
            self._cookie = self._net.sockets_made
        return self._cookie

    def interface_names(self) -> list[str]:
        """By index, from 1."""
        return [interface.name for interface in self._net.ip.interfaces]

    def now_ns(self) -> int:
        return self._net.callouts.now()

    def restart_keepalive(self) -> None:
        tcb = self.tcb
        if tcb is not None and tcb.state in MAY_SEND:
            self._net.tcp.keepalive(tcb)
