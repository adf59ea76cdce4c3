"""api.Copy: bytes, ends, back-pressure, and who is told what."""

from __future__ import annotations

import pytest
from boxes import Box, Program

from hypercalls.api import CLOSED, EOF, RESET, Ready

CHAN = 0x1234_5678


class Service:
    """The rump kernel's end of one channel."""

    def __init__(self, box: Box, chan: int = CHAN, plug: bool = True, messages: bool = False):
        self.box = box
        self.chan = chan
        self.copy = box.hc.copy
        self.buffer = box.hc.memory.alloc(8192)
        self.told: list[Ready] = []
        self.program: Program | None = box.plug(chan, messages) if plug else None
        self.copy.attach(chan, self.told.append)
        box.run()

    def take(self, length: int = 8192) -> bytes | int:
        count = self.copy.copyin(self.chan, self.buffer, 0, length)
        return bytes(self.buffer.view[:count]) if count > 0 else count

    def give(self, data: bytes) -> int:
        self.buffer.view[: len(data)] = data
        return self.copy.copyout(self.chan, self.buffer, 0, len(data))

    def news(self) -> Ready:
        """Everything told since the last call."""
        self.box.run()
        union = Ready(0)
        for events in self.told:
            union |= events
        self.told.clear()
        return union


@pytest.fixture
def service(box: Box) -> Service:
    return Service(box)


def test_bytes_both_ways(service: Service) -> None:
    assert service.take() == 0
    assert service.news() == Ready(0)
    assert service.program.program_write(b"question") == 8
    assert service.news() == Ready.IN
    assert service.take(3) == b"que"
    assert service.news() == Ready.IN, "copyin filled its room, and there is more"
    assert service.take() == b"stion"
    assert service.take() == 0
    service.told.clear()
    assert service.news() == Ready(0)
    assert service.give(b"answer") == 6
    assert service.program.program_read(100) == b"answer"


def test_offsets(service: Service) -> None:
    service.buffer.view[:10] = b"0123456789"
    assert service.copy.copyout(CHAN, service.buffer, 4, 3) == 3
    assert service.program.program_read(100) == b"456"
    service.program.program_write(b"xy")
    assert service.copy.copyin(CHAN, service.buffer, 8, 2) == 2
    assert bytes(service.buffer.view[:10]) == b"01234567xy"
    with pytest.raises(AssertionError):
        service.copy.copyin(CHAN, service.buffer, 8000, 200)
    assert service.copy.copyin(CHAN, service.buffer, 0, 0) == 0
    assert service.copy.copyout(CHAN, service.buffer, 0, 0) == 0


def test_shutdown_is_eof_after_the_data(service: Service) -> None:
    service.program.program_write(b"last")
    service.program.program_shutdown()
    assert service.news() == Ready.IN
    assert service.take() == b"last"
    assert service.take() == EOF
    assert service.take() == EOF
    assert service.give(b"still reading") == 13
    assert service.program.program_read(100) == b"still reading"


def test_close_is_eof_and_then_closed(service: Service) -> None:
    service.program.program_write(b"last")
    service.program.program_close()
    assert Ready.IN | Ready.HUP in service.news()
    assert service.take() == b"last"
    assert service.take() == EOF
    service.news()
    assert service.take() == CLOSED
    assert service.give(b"nobody") == CLOSED
    assert service.news() == Ready(0)


def test_close_after_shutdown_is_told(service: Service) -> None:
    service.program.program_shutdown()
    assert service.news() == Ready.IN
    assert service.take() == EOF
    assert service.news() == Ready(0)
    service.program.program_close()
    assert Ready.HUP in service.news()
    assert service.take() == CLOSED


def test_close_with_unread_data_is_a_reset(service: Service) -> None:
    service.give(b"never read")
    service.program.program_close()
    assert Ready.HUP in service.news()
    assert service.take() == RESET
    assert service.take() == RESET
    assert service.give(b"more") == RESET


def test_copyout_notices_the_reset_first(service: Service) -> None:
    service.give(b"never read")
    service.program.program_close()
    assert service.give(b"more") == RESET
    assert service.take() == RESET


def test_a_full_channel_pushes_back(service: Service) -> None:
    block = bytes(range(256)) * 32
    total = 0
    while True:
        count = service.give(block)
        total += count
        if count < len(block):
            break
    assert count >= 0
    assert service.give(b"x") == 0
    assert service.news() == Ready(0)
    got = b""
    while data := service.program.program_read(1 << 16):
        got += data
    assert len(got) == total
    assert got == (block * (total // len(block) + 1))[:total]
    assert service.news() == Ready.OUT
    assert service.news() == Ready(0), "told once"
    assert service.give(b"again") == 5


def test_a_reader_without_room_wants_no_in(service: Service) -> None:
    service.copy.want(CHAN, Ready(0))
    service.program.program_write(b"data")
    assert service.news() == Ready(0)
    service.copy.want(CHAN, Ready.IN)
    assert service.news() == Ready.IN
    assert service.take() == b"data"


def test_back_pressure_reaches_the_program(service: Service) -> None:
    service.copy.want(CHAN, Ready(0))
    total = 0
    while count := service.program.program_write(b"x" * 4096):
        total += count
        assert total < 1 << 20
    got = 0
    while isinstance(data := service.take(), bytes):
        got += len(data)
    assert got == total
    assert service.program.program_write(b"y") == 1


def test_no_in_does_not_lose_a_waiting_out(service: Service) -> None:
    while service.give(b"z" * 8192) == 8192:
        pass
    service.copy.want(CHAN, Ready(0))
    while service.program.program_read(1 << 16):
        pass
    assert service.news() == Ready.OUT


def test_a_hangup_is_told_to_who_wants_nothing(service: Service) -> None:
    """Who waits for room to write on must hear that nobody will ever make any."""
    service.program.program_write(b"last")
    service.copy.want(CHAN, Ready(0))
    service.program.program_close()
    assert service.news() == Ready.HUP
    assert service.news() == Ready(0), "told once"
    assert service.take() == b"last"
    assert service.take() == EOF


def test_a_reset_is_told_to_who_wants_nothing(service: Service) -> None:
    service.give(b"never read")
    service.copy.want(CHAN, Ready(0))
    service.program.program_close()
    assert service.news() == Ready.HUP
    assert service.take() == RESET


def test_end_is_eof_for_the_program(service: Service) -> None:
    service.give(b"all")
    service.copy.end(CHAN)
    assert not service.program.program_eof
    assert service.program.program_read(100) == b"all"
    assert service.program.program_eof
    assert service.program.program_write(b"heard") == 5
    service.box.run()
    assert service.take() == b"heard"


def test_detach_ends_both_ways(service: Service) -> None:
    service.copy.detach(CHAN)
    assert service.program.program_eof
    with pytest.raises(OSError):  # noqa: PT011 - EPIPE or ECONNRESET, as the kernel sees fit
        service.program.program_write(b"hello?")
    assert service.take() == CLOSED
    assert service.news() == Ready(0)
    service.copy.detach(CHAN)
    service.copy.detach(4711)
    service.copy.want(4711, Ready.IN)
    service.copy.end(4711)


def test_attach_before_the_channel_is_plugged(box: Box) -> None:
    service = Service(box, plug=False)
    assert service.take() == 0
    assert service.give(b"early") == 0
    assert service.news() == Ready(0)
    program = box.plug(CHAN)
    assert service.news() == Ready.OUT
    assert service.give(b"early") == 5
    assert program.program_read(10) == b"early"
    program.program_write(b"hi")
    assert service.news() == Ready.IN


def test_data_before_attach_is_told(box: Box) -> None:
    program = box.plug(CHAN)
    program.program_write(b"early")
    box.run()
    service = Service(box, plug=False)
    assert service.news() == Ready.IN
    assert service.take() == b"early"


def test_messages_stay_apart(box: Box) -> None:
    service = Service(box, messages=True)
    service.program.program_write(b"one")
    service.program.program_write(b"three")
    assert service.take() == b"one"
    assert service.take() == b"three"
    assert service.take() == 0
    service.give(b"a")
    service.give(b"bc")
    assert service.program.program_read(100) == b"a"
    assert service.program.program_read(100) == b"bc"


def test_channels_are_independent(box: Box) -> None:
    services = [Service(box, chan) for chan in (1, 7, 0xFFFF_FFFF)]
    services[1].program.program_write(b"seven")
    services[2].program.program_close()
    assert [service.news() for service in services] == [
        Ready(0), Ready.IN, Ready.IN | Ready.HUP,
    ]  # fmt: skip
    assert [service.take() for service in services] == [0, b"seven", EOF]
