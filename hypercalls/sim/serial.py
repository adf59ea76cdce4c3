"""The line of a simulated host, with the far side's two calls beside it."""

from __future__ import annotations

from collections.abc import Callable


class SimSerial:
    """api.Serial."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self.on_transmit: Callable[[bytes], None] = lambda _data: None
        """The far side's receiver."""
        self._post = post
        self._received = bytearray()
        self._told = False
        self._on_receive: Callable[[], None] | None = None

    def receive(self, data: bytes) -> None:
        """Bytes arrive from the far side."""
        self._received += data
        self._tell()

    def write(self, data: bytes) -> None:
        if data:
            self.on_transmit(bytes(data))

    def read(self) -> bytes:
        data = bytes(self._received)
        self._received.clear()
        self._told = False
        return data

    def on_receive(self, handler: Callable[[], None]) -> None:
        self._on_receive = handler
        self._tell()

    def _tell(self) -> None:
        if self._received and not self._told and self._on_receive is not None:
            self._told = True
            self._post(self._on_receive)
