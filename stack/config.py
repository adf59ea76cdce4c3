"""Every tunable of the stack: unit, default, and where the number comes from."""

from __future__ import annotations

from dataclasses import dataclass

MS = 1_000_000
SECOND = 1_000 * MS


@dataclass(frozen=True, slots=True)
class Config:
    # -- buffers
    sndbuf_first_bytes: int = 128 << 10
    """What a connection's send buffer starts with (Linux: 16 kB, and the congestion window)."""
    rcvbuf_first_bytes: int = 64 << 10
    """And its receive buffer: as Linux's first window.  Both double as they are used."""
    grow_first_bytes: int = 256 << 10
    """Taken by the reader, or the peer, before they first do: more than a channel holds that
    nobody reads (225 kB), or a peer (113 kB; 200 behind a gateway)."""
    connection_min_bytes: int = 8 << 10
    """Of memory, for each connection and direction, however little there is (Linux: a page); less
    when there are so many connections that this would be more than an eighth of it."""
    sndbuf_bytes: int = 1 << 20
    """Send buffer of a stream socket; 16 super-segments keep a TAP busy while ACKs come back."""
    rcvbuf_bytes: int = 1 << 20
    """Receive buffer, and with it the largest window offered (RFC 9293, 3.8.6)."""
    copy_below_bytes: int = 4096
    """Received payload shorter than this is copied when it must wait: it would pin 64 KiB."""
    udp_queue: int = 256
    """Datagrams waiting on one UDP socket; more are dropped (UDP promises nothing)."""

    # -- IP
    ttl: int = 64
    """RFC 1700's recommended default."""
    reassembly_ns: int = 30 * SECOND
    """RFC 1122, 3.3.2 asks for 60 to 120 s; Linux's 30 s frees memory sooner under loss."""
    reassembly_bytes: int = 1 << 20
    """All fragments of all datagrams; the oldest datagram is given up for a new one."""
    path_mtu_expires_ns: int = 600 * SECOND
    """RFC 1191, 6.3: no sooner than 5 minutes, 10 recommended (Linux: ip_rt_mtu_expires)."""
    path_mtu_min_bytes: int = 552
    """Linux's ip_rt_min_pmtu; RFC 1191's 68 would be an invitation."""
    icmp_rate_per_s: int = 100
    """ICMP errors sent (RFC 1812, 4.3.2.8)."""

    # -- ARP
    arp_reachable_ns: int = 60 * SECOND
    """RFC 1122, 2.3.2.1: flush entries on the order of a minute."""
    arp_retry_ns: int = 1 * SECOND
    """At most one request per second and address (RFC 1122, 2.3.2.1)."""
    arp_tries: int = 3
    arp_entries: int = 1024
    """Linux's gc_thresh3; more, which only an attack needs, replace the oldest."""
    arp_queue: int = 16
    """Packets kept per unresolved address (RFC 1122, 2.3.2.2 asks for at least one)."""

    # -- TCP
    initial_window_segments: int = 10
    """RFC 6928."""
    rto_initial_ns: int = 1 * SECOND
    """RFC 6298, 2.1."""
    rto_min_ns: int = 200 * MS
    """RFC 6298, 2.4 says 1 s; Linux and the BSDs use 200 ms or less, and so do we."""
    rto_max_ns: int = 60 * SECOND
    """RFC 6298, 2.5: at least 60 s."""
    retries: int = 15
    """R2 for data (RFC 9293, 3.8.3): Linux's tcp_retries2, at least 100 s in all."""
    orphan_retries: int = 8
    """R2 when nobody waits any more: over 100 s (Linux: tcp_orphan_retries)."""
    orphan_probes: int = 10
    """Window probes of a connection that nobody waits for, answered or not: 200 s."""
    syn_retries: int = 8
    """R2 for a SYN: 1+2+4+8+16+32+60+60+60 s is over the 3 minutes of MUST-23."""
    synack_retries: int = 5
    delayed_ack_ns: int = 40 * MS
    """RFC 9293, 3.8.6.3: below 500 ms; Linux's 40 ms."""
    delayed_ack_max_ns: int = 200 * MS
    """The last step of a handshake, where data is to carry it (Linux: TCP_DELACK_MAX)."""
    cork_ns: int = 200 * MS
    """How long TCP_CORK or MSG_MORE may hold back a part of a segment (tcp(7))."""
    persist_min_ns: int = 200 * MS
    persist_max_ns: int = 60 * SECOND
    msl_ns: int = 30 * SECOND
    """TIME-WAIT lasts 2 MSL; RFC 9293 says 2 minutes for MSL, every current system 30 s."""
    time_wait_max: int = 8192
    """Entries kept; then the oldest goes first (as Linux's tcp_max_tw_buckets)."""
    orphan_ns: int = 60 * SECOND
    """FIN-WAIT-2 after close without anyone left to read (Linux: tcp_fin_timeout)."""
    keepalive_idle_ns: int = 7200 * SECOND
    """RFC 9293, MUST-28."""
    keepalive_interval_ns: int = 75 * SECOND
    keepalive_probes: int = 9
    max_mss: int = 65495
    syn_backlog: int = 512
    """Half-open connections of one listener; a new SYN then replaces the oldest (SYN flood)."""
    somaxconn: int = 4096
    reassembly_queue_segments: int = 256
    """Out-of-order segments of one connection."""
    port_first: int = 32768
    port_last: int = 60999
    """Ephemeral ports: Linux's default range."""
    oow_ack_ns: int = 500 * MS
    """Between two answers of one connection to what cannot belong to it: ends that disagree must
    not answer each other's acknowledgements for ever (Linux: tcp_invalid_ratelimit)."""
    challenge_ack_per_s: int = 1000
    """All connections together, on average (RFC 5961, section 7; Linux's was 1,000)."""
