"""api.Net: frames out and in, whose memory they are, and what is offloaded."""

from __future__ import annotations

from boxes import Box, Sent

ETHER = b"\xff" * 6 + b"\xb2\x0a\0\0\0\2" + b"\x08\0"


def frame(n: int, length: int = 100) -> bytes:
    return ETHER + bytes([n]) * (length - len(ETHER))


def filled(box: Box, data: bytes):
    buffer = box.hc.memory.alloc(len(data))
    buffer.view[:] = data
    return buffer


def test_header_and_slices_leave_as_one_frame(box: Box) -> None:
    net = box.hc.nets[0]
    assert len(net.mac) == 6
    assert net.mtu_bytes == 1500
    buffer = filled(box, b"0123456789" * 10)
    net.send(ETHER + b"<")
    net.send(ETHER + b"<", ((buffer, 3, 4),))
    net.send(ETHER, [(buffer, 0, 1), (buffer, 99, 1), (buffer, 10, 10)])
    net.flush()
    sent = [s.data[14:] for s in box.wire_take()]
    assert sent == [b"<", b"<3456", b"090123456789"]


def test_many_slices_and_long_headers(box: Box) -> None:
    net = box.hc.nets[0]
    buffer = filled(box, bytes(range(100)))
    net.send(ETHER + b"h" * 1000, [(buffer, n, 1) for n in range(100)])
    net.flush()
    assert [s.data for s in box.wire_take()] == [ETHER + b"h" * 1000 + bytes(range(100))]


def test_more_frames_than_any_ring_has_room_for(box: Box) -> None:
    net = box.hc.nets[0]
    got: list[bytes] = []
    for n in range(1000):
        net.send(frame(n % 251))
        if n % 50 == 49:
            net.flush()
            got += [s.data for s in box.wire_take()]
    assert got == [frame(n % 251) for n in range(1000)]


def test_payload_memory_is_free_once_sent(box: Box) -> None:
    net, memory = box.hc.nets[0], box.hc.memory
    before = memory.free_bytes
    buffer = filled(box, b"x" * 1000)
    net.send(ETHER, ((buffer, 0, 1000),))
    del buffer
    net.flush()
    assert box.wire_take()[0].data == ETHER + b"x" * 1000
    assert memory.free_bytes == before


def test_frames_arrive_in_order(box: Box) -> None:
    net = box.hc.nets[0]
    calls: list[None] = []
    net.on_receive(lambda: calls.append(None))
    assert net.recv() is None
    for n in range(5):
        box.wire_put(frame(n, 60 + n))
    box.run()
    assert len(calls) == 1
    for n in range(5):
        got = net.recv()
        assert got is not None
        assert bytes(got.view) == frame(n, 60 + n)
        assert bytes(got.buffer.view[got.offset :][: len(got.view)]) == frame(n, 60 + n)
        assert got.gso_size == 0
    assert net.recv() is None
    box.run()
    assert len(calls) == 1
    box.wire_put(frame(9))
    box.run()
    assert len(calls) == 2


def test_frames_keep_coming_for_ever(box: Box) -> None:
    net = box.hc.nets[0]
    got: list[bytes] = []

    def receive() -> None:
        while (one := net.recv()) is not None:
            got.append(bytes(one.view))

    net.on_receive(receive)
    assert net.recv() is None
    for n in range(700):
        box.wire_put(frame(n % 251))
        if n % 7 == 0:
            box.run()
    box.run()
    assert got == [frame(n % 251) for n in range(700)]


def test_a_kept_frame_outlives_the_next(box: Box) -> None:
    net = box.hc.nets[0]
    for n in range(6):
        box.wire_put(frame(n, 1000))
    box.run()
    kept = []
    for _ in range(6):
        got = net.recv()
        slice_ = got.keep()
        assert slice_ is not None
        kept.append(slice_)
    assert net.recv() is None
    for n in range(40):
        box.wire_put(frame(100 + n, 1000))
        box.run()
        while net.recv() is not None:
            pass
    for n, (buffer, offset, length) in enumerate(kept):
        assert bytes(buffer.view[offset : offset + length]) == frame(n, 1000)


def test_keep_without_memory_is_none(box: Box) -> None:
    net, memory = box.hc.nets[0], box.hc.memory
    held = []
    for size in (100_000, 10_000, 1000, 100, 1):
        while (buffer := memory.alloc(size)) is not None:
            held.append(buffer)
    box.wire_put(frame(1, 1000))
    box.run()
    got = net.recv()
    assert got is not None
    assert got.keep() is None
    assert bytes(got.view) == frame(1, 1000)
    held.clear()
    assert got.keep() is not None


def test_offload_fields_pass_both_ways(box: Box) -> None:
    net = box.hc.nets[0]
    assert net.csum_offload == box.offload
    assert net.gso_max_bytes == (65535 if box.offload else 0)
    if not box.offload:
        box.wire_put(frame(1))
        box.run()
        assert net.recv().csum_ok is False
        return
    payload = filled(box, b"p" * 60_000)
    header = ETHER + b"\x45" + bytes(39)
    net.send(header, ((payload, 0, 60_000),), csum_start=34, csum_offset=16, gso_size=1448)
    net.send(header, csum_start=34, csum_offset=6)
    net.flush()
    assert box.wire_take() == [
        Sent(header + b"p" * 60_000, 34, 16, 1448),
        Sent(header, 34, 6, 0),
    ]
    box.wire_put(header + b"q" * 60_000, csum_ok=True, gso_size=1400)
    box.wire_put(frame(2))
    box.run()
    got = net.recv()
    assert (got.csum_ok, got.gso_size, len(got.view)) == (True, 1400, 60_054)
    kept = got.keep()
    got = net.recv()
    assert (got.csum_ok, got.gso_size) == (False, 0)
    assert net.recv() is None
    buffer, offset, length = kept
    assert bytes(buffer.view[offset : offset + length]) == header + b"q" * 60_000
