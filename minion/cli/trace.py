"""--trace: every call, frame of the line, state change and packet, one line each.

Theory of operation.  Tracing is wired in when the minion is put together: functions and devices are
wrapped once, so that a minion without it pays nothing.  Times are microseconds since the start.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from hypercalls.api import CLOSED, EOF, RESET
from minion.devices.dma import ChannelEnd
from minion.driver.channel import Channel
from minion.driver.driver import Request
from minion.driver.waiting import Done
from minion.line import frames, link
from minion.netdev.api import Netdev, NicPort
from minion.sysproxy import messages
from minion.sysproxy.messages import NOTE, REQUEST, Note
from minion.sysproxy.operations import Op
from stack.tcp.state import On, State
from stack.tcp.tcb import Tcb
from stack.wire import WireError, arp, dns, dotted, ethernet, icmp, ipv4, tcp, udp

VNET_BYTES = 12
HEX_BYTES = 24
KINDS = {link.DATA: "DATA", link.ACK: "ACK", link.PART: "PART", link.RESET: "RESET",
         link.RESET_ACK: "RESET_ACK"}  # fmt: skip
FLAGS = ((tcp.SYN, "S"), (tcp.FIN, "F"), (tcp.RST, "R"), (tcp.PSH, "P"), (tcp.ACK, "."))


class Tracer:
    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._start = time.monotonic_ns()

    def say(self, layer: str, text: str) -> None:
        us = (time.monotonic_ns() - self._start) // 1000
        self._log(f"{us:>9} {layer:<5} {text}")

    # -- libc

    def request(self, request: Request) -> Request:
        """Around Driver.request: what programs ask, and what they are told."""

        def traced(
            op: int, ident: bytes, a: int, b: int, c: int, data: bytes, pid: int,
            program: socket.socket | None, done: Done,
        ) -> int:  # fmt: skip
            call = f"{Op(op).name.lower()}({describe_call(op, a, b, c, data)})"
            self.say("libc", f"pid {pid} {call}")

            def answered(result: int, error: int, data: bytes, channel: Channel | None) -> None:
                import errno

                outcome = f"-1 {errno.errorcode.get(error, error)}" if error else str(result)
                self.say("libc", f"pid {pid} {call} = {outcome}{describe_data(op, data)}")
                done(result, error, data, channel)

            return request(op, ident, a, b, c, data, pid, program, answered)

        return traced

    # -- the line

    def wire(self, arrow: str, receive: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """Around one direction of the line."""
        deframer = frames.Deframer()

        begun = False

        def traced(data: bytes) -> None:
            nonlocal begun
            for kind, number, seq, ack, payload in deframer.input(data):
                text = f"{arrow} {KINDS.get(kind, kind)} {number} seq {seq} ack {ack}"
                what = f"{len(payload)} bytes" if begun else describe_message(payload)
                begun = kind == link.PART
                self.say("line", f"{text} {what}  {data[:HEX_BYTES].hex(' ')}")
            receive(data)

        return traced

    def plug(self, plug: Callable[[int, ChannelEnd], None]) -> Callable[[int, ChannelEnd], None]:
        """Around Dma.plug."""
        return lambda chan, end: plug(chan, TracedEnd(chan, end, self))

    def moved(self, what: str, count: int) -> None:
        if count:
            outcome = {EOF: "end", RESET: "reset", CLOSED: "closed"}.get(count, f"{count} bytes")
            self.say("dma", f"{what} {outcome}")

    # -- TCP

    def state(self, tcb: Tcb, old: State, event: On, new: State) -> None:
        local, remote = f"{tcb.key[1]}", f"{dotted(tcb.key[2])}:{tcb.key[3]}"
        self.say("tcp", f"{local} > {remote} {old.name} --{event.name}--> {new.name}")

    def packet(self, arrow: str, views: list[memoryview]) -> None:
        data = memoryview(b"".join(views))
        self.say("nic", f"{arrow} {describe_frame(data[VNET_BYTES:])}")


class TracedEnd:
    """minion.devices.dma.ChannelEnd around a channel: what the DMA engine moves."""

    def __init__(self, chan: int, end: ChannelEnd, tracer: Tracer) -> None:
        self._chan = chan
        self._end = end
        self._tracer = tracer
        self.want = end.want
        self.end = end.end
        self.detach = end.detach

    def recv_into(self, view: memoryview) -> int:
        count = self._end.recv_into(view)
        self._tracer.moved(f"chan {self._chan:#x} program > RAM", count)
        return count

    def send(self, view: memoryview) -> int:
        count = self._end.send(view)
        self._tracer.moved(f"chan {self._chan:#x} RAM > program", count)
        return count


class TracedNetdev:
    """minion.netdev.api.Netdev around another one."""

    def __init__(self, netdev: Netdev, tracer: Tracer) -> None:
        self.inner = netdev
        self._tracer = tracer

    @property
    def counters(self) -> dict[str, int]:
        return self.inner.counters

    @counters.setter
    def counters(self, counters: dict[str, int]) -> None:
        self.inner.counters = counters

    def attach(self, port: NicPort) -> None:
        self.inner.attach(TracedPort(port, self._tracer))

    def transmit(self, frame: list[memoryview]) -> None:
        self._tracer.packet("out", frame)
        self.inner.transmit(frame)

    def flush(self) -> None:
        self.inner.flush()

    def close(self) -> None:
        self.inner.close()


class TracedPort:
    """minion.netdev.api.NicPort around another one."""

    def __init__(self, port: NicPort, tracer: Tracer) -> None:
        self._port = port
        self._tracer = tracer
        self.mac, self.mtu_bytes = port.mac, port.mtu_bytes
        self.guest_csum = self.guest_tso4 = self.guest_tso6 = True
        self.rx_buffer = port.rx_buffer
        self.rx_done = port.rx_done
        self.on_rx_space = port.on_rx_space
        self.tx_hold, self.tx_ready = port.tx_hold, port.tx_ready

    def rx_commit(self, length: int) -> None:
        buffer = self._port.rx_buffer()
        if buffer is not None:
            self._tracer.packet("in ", [buffer[:length]])
        self._port.rx_commit(length)


# -- one line for each kind of thing


def describe_call(op: int, a: int, b: int, c: int, data: bytes) -> str:
    if op in (Op.CONNECT, Op.BIND, Op.GETNAMEINFO):
        return sockaddr(data)
    if op == Op.GETADDRINFO:
        return data.rstrip(b"\0").decode("ascii", "replace")
    if op in (Op.GETSOCKOPT, Op.SETSOCKOPT):
        return f"level {a}, option {b}"
    if op == Op.SOCKET:
        return f"domain {a}, type {b}, protocol {c}"
    return str(a) if op in (Op.LISTEN, Op.SHUTDOWN, Op.IOCTL) else ""


def describe_data(op: int, data: bytes) -> str:
    if op in (Op.GETSOCKNAME, Op.GETPEERNAME) and data:
        return f" {sockaddr(data)}"
    return f" ({len(data)} bytes)" if data else ""


def sockaddr(data: bytes) -> str:
    if len(data) < 8:
        return "?"
    return f"{dotted(int.from_bytes(data[4:8], 'big'))}:{int.from_bytes(data[2:4], 'big')}"


def describe_message(payload: bytes) -> str:
    if len(payload) < messages.HEADER.size:
        return f"{len(payload)} bytes"
    kind, op, _, reqno, chan, *_ = messages.HEADER.unpack_from(payload)
    try:
        if kind == NOTE:
            return f"note {Note(op).name} chan {chan:#x}"
        name = "request" if kind == REQUEST else "response"
        return f"{name} {reqno} {Op(op).name} chan {chan:#x}"
    except ValueError:
        return "nonsense"


def describe_frame(frame: memoryview) -> str:
    """A frame as tcpdump would put it."""
    try:
        header = ethernet.Ethernet.parse(frame)
        body = frame[ethernet.HEADER_BYTES :]
        if header.ethertype == ethernet.ARP:
            return describe_arp(arp.Arp.parse(body))
        if header.ethertype == ethernet.IPV4:
            return describe_ip(body)
    except WireError as error:
        return f"malformed: {error}"
    return f"ethertype {header.ethertype:#06x}, {len(frame)} bytes"


def describe_arp(packet: arp.Arp) -> str:
    target, sender = dotted(packet.target_ip), dotted(packet.sender_ip)
    if packet.operation == arp.REQUEST:
        return f"ARP who has {target}? tell {sender}"
    return f"ARP {sender} is at {packet.sender_mac.hex(':')}"


def describe_ip(body: memoryview) -> str:
    header = ipv4.Ipv4.parse(body)
    end = header.total_bytes
    start = header.header_bytes
    src, dst = dotted(header.src), dotted(header.dst)
    if header.fragment & ipv4.OFFSET:
        return f"{src} > {dst} fragment at {(header.fragment & ipv4.OFFSET) * 8}"
    if header.protocol == ipv4.TCP:
        segment = tcp.Tcp.parse(body, start, end, 0, True)
        flags = "".join(letter for bit, letter in FLAGS if segment.flags & bit)
        text = f"{src}:{segment.src} > {dst}:{segment.dst} TCP [{flags}] seq {segment.seq}"
        if segment.flags & tcp.ACK:
            text += f" ack {segment.ack}"
        return f"{text} win {segment.window} len {segment.length}"
    if header.protocol == ipv4.UDP:
        datagram = udp.Udp.parse(body[start:end], 0, True)
        text = f"{src}:{datagram.src} > {dst}:{datagram.dst} UDP len {len(datagram.payload)}"
        return text + describe_dns(datagram)
    if header.protocol == ipv4.ICMP:
        message = icmp.Icmp.parse(body[start:end])
        return f"{src} > {dst} ICMP type {message.type} code {message.code}"
    return f"{src} > {dst} protocol {header.protocol} len {end - start}"


def describe_dns(datagram: udp.Udp) -> str:
    if 53 not in (datagram.src, datagram.dst):
        return ""
    message = dns.Dns.parse(datagram.payload)
    names = ", ".join(question.name for question in message.questions)
    if not message.flags & dns.RESPONSE:
        return f" DNS {names}?"
    return f" DNS {names}: {len(message.answers)} answers, rcode {message.rcode}"
