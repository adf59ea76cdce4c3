"""The signal dispositions that a program of ours is to be started with.

Python ignores SIGPIPE and SIGXFSZ from its first moment, and what is ignored stays so through exec.
What they were before is recorded nowhere, but it was inherited, and our parent knows: a process
that ignores a signal has children that do.  The exception is a parent that is Python itself, which
gives its children the default (subprocess, restore_signals).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

CHANGED = (signal.SIGPIPE, signal.SIGXFSZ)


def restore(parent: int) -> None:
    """Undo what Python did; parent: of the process that the user started."""
    ignored = ignored_by(parent)
    for number in CHANGED:
        if not ignored & 1 << number - 1:
            signal.signal(number, signal.SIG_DFL)


def ignored_by(parent: int) -> int:
    """The set of signals that a process handed on as ignored; bit 0 is signal 1."""
    try:
        if "python" in os.path.basename(os.readlink(f"/proc/{parent}/exe")):
            return 0
        status = Path(f"/proc/{parent}/status").read_text()
    except OSError:  # it has ended, or is another user's, or there is no /proc
        return 0
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields.get("SigIgn", "0").strip(), 16)
