"""The minion's end of the line: serial hypercall, link protocol, and the server behind it."""

from __future__ import annotations

from collections.abc import Callable

from hypercalls.api import Hypercalls
from minion.line.link import Link, LinkConfig
from stack.callout import Callouts


class LinePort:
    def __init__(
        self, hyper: Hypercalls, callouts: Callouts, config: LinkConfig | None = None
    ) -> None:
        """`deliver` and `restarted` are to be set before the first byte arrives."""
        if hyper.serial is None:
            raise OSError(19, "no serial line to serve system calls on")  # ENODEV
        self._serial = hyper.serial
        self.deliver: Callable[[bytes], None] = lambda _message: None
        self.restarted: Callable[[], None] = lambda: None
        self.link = Link(
            int.from_bytes(hyper.random.getrandom(4), "big"),
            self._serial.write,
            lambda message: self.deliver(message),
            lambda: self.restarted(),
            hyper.clock.monotonic_ns,
            callouts.at,
            config,
        )
        softint = hyper.threads.softint(self._receive)
        self._serial.on_receive(softint.schedule)

    def _receive(self) -> None:
        read, link_input = self._serial.read, self.link.input
        while data := read():
            link_input(data)
