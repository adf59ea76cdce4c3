"""TCP_INFO: a connection in Linux's struct tcp_info, as far as this stack knows it."""

from __future__ import annotations

import struct

from stack.socket.stream import StreamSocket
from stack.tcp.state import State

# state ca_state retransmits probes backoff options scales flags, then 24 words of 32 bits, then
# pacing rates and byte counts of 64, and what later kernels added, up to tcpi_snd_wnd
INFO = struct.Struct("8B24I8Q3Q2I2Q4I")
FIELDS = 51
OPT_WSCALE = 4
CA_OPEN, CA_RECOVERY, CA_LOSS = 0, 3, 4


def tcp_info(sock: StreamSocket) -> bytes:
    tcb = sock.tcb
    if tcb is None:
        state = State.LISTEN if sock.listener is not None else State.CLOSED
        return INFO.pack(state, *[0] * (FIELDS - 1))
    ca_state = CA_RECOVERY if tcb.in_recovery else CA_LOSS if tcb.retries else CA_OPEN
    options = OPT_WSCALE if tcb.scaled else 0
    mss = tcb.mss
    ssthresh = min(tcb.ssthresh // mss, 0x7FFFFFFF)
    words = (
        tcb.rto_ns // 1000, 40_000, mss, tcb.our_mss, tcb.flight // mss, 0, 0, tcb.retries, 0,
        0, 0, 0, 0,  # last data sent, last ack sent, last data received, last ack received: ms
        tcb.path.mtu_bytes, tcb.rcv_space, tcb.srtt_ns // 1000, tcb.rttvar_ns // 1000, ssthresh,
        max(1, tcb.cwnd // mss), tcb.our_mss, 3, 0, tcb.rcv_space, tcb.retransmits,
    )  # fmt: skip
    acked = max(0, tcb.snd_una - tcb.iss - 1)
    received = max(0, tcb.rcv_nxt - tcb.irs - 1)
    quads = ((1 << 64) - 1, (1 << 64) - 1, acked, received, 0, tcb.snd.end - tcb.snd_nxt, 0, 0)
    scales = tcb.snd_scale | tcb.rcv_scale << 4
    return INFO.pack(
        tcb.state, ca_state, tcb.retries & 255, 0, tcb.persist_backoff, options, scales, 0,
        *(min(word, 0xFFFFFFFF) for word in words), *(max(0, quad) for quad in quads),
        0, 0, 0, 0, 0, max(0, tcb.snd_max - tcb.iss - 1), 0, 0, 0, 0, tcb.snd_wnd,
    )  # fmt: skip
