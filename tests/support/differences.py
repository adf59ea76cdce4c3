"""Where a minion's sockets answer otherwise than Linux's, and why: docs/differences.md, row by row.

A row's `host` and `minion` are what poll says there, as sets of names; everything else that is
compared (results, errnos, names, data) must be the same, but for BEHAVIOURS.
"""

from __future__ import annotations

from dataclasses import dataclass

Mask = frozenset[str]
NAMES = ("IN", "PRI", "OUT", "ERR", "HUP", "NVAL", "RDHUP")
ERR = frozenset({"ERR"})


@dataclass(frozen=True, slots=True)
class Difference:
    """key: the row's first cell in docs/differences.md."""

    key: str
    reason: str


NO_POLLERR = Difference(
    "reset-without-pollerr",
    "AF_UNIX says POLLERR only if the program's last bytes were still unread at the other end",
)
DISSOLVED = Difference(
    "dissolved-without-pollerr",
    "a fresh AF_UNIX socket takes the old one's place, and the kernel gives it no error",
)
ATTEMPT_OVER = Difference(
    "attempt-over-polls-in",
    "an attempt that was shut down is an AF_UNIX socket whose other end was closed: readable",
)
EXTRA_EDGE = Difference(
    "extra-writable-edges",
    "AF_UNIX wakes edge-triggered writers whenever the other end reads, TCP when a third is free",
)
NEW_DESCRIPTION = Difference(
    "retry-is-a-new-description",
    "an AF_UNIX socket whose peer is gone cannot be connected again: dup3 puts in another",
)
LATE_READERS = Difference(
    "lost-data-for-two-seconds",
    "what a lost connection had received lies in the minion's memory, which is shared",
)
SANDBOXED = Difference(
    "unexplained-behind-seccomp",
    "a filter written for the program's calls could end it for one of ours",
)
NO_URGENT_DATA = Difference(
    "no-urgent-data", "no urgent data (RFC 6093): a channel has no place for it"
)
OTHER_PROGRAMS = Difference(
    "own-system-calls-see-eof", "what ended a connection is asked for by libminion's read and write"
)
KEPT_FROM_OTHERS = Difference(
    "kept-from-others",
    "what is less than SO_RCVLOWAT is not in the channel, and handed out to libminion's reads",
)
SHUT_BEFORE = Difference(
    "shut-before-connected", "an AF_UNIX socket that was shut for writing cannot be connected"
)
DIFFERENCES = (
    NO_POLLERR, DISSOLVED, ATTEMPT_OVER, EXTRA_EDGE, NEW_DESCRIPTION, LATE_READERS, SANDBOXED,
    NO_URGENT_DATA, OTHER_PROGRAMS, KEPT_FROM_OTHERS, SHUT_BEFORE,
)  # fmt: skip


def difference(host: Mask, minion: Mask) -> Difference | None:
    """The row that says why poll answers two things for one state; None: nobody does."""
    without = host - ERR
    if "ERR" in host and "HUP" in host and minion == without:
        return NO_POLLERR if "RDHUP" in host or "IN" in host else DISSOLVED
    if host - ERR == {"OUT", "HUP"} and minion == host | {"IN", "RDHUP"}:
        return ATTEMPT_OVER
    return None


def mask_of(text: str) -> Mask | None:
    """A set of poll's names, as the programs print it; None: no mask."""
    words = text.split()
    return frozenset(words) if words and all(word in NAMES for word in words) else None
