"""The command `minion up NAME --auto --linger 10`, as far as libminion depends on it.

Leaves DIR/NAME/record (what it was given) and DIR/NAME/pid (of the fake driver it started).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def signals() -> dict[str, str]:
    status = Path("/proc/self/status").read_text().splitlines()
    return dict(line.split(":\t") for line in status if line.startswith(("SigBlk", "SigCgt")))


def main() -> int:
    if os.environ.get("FAKE_MINION_FAILS"):
        return 3
    place = Path(os.environ["MINION_DIR"], sys.argv[2])
    place.mkdir(parents=True, exist_ok=True)
    record = {
        "argv": sys.argv[1:],
        "preload": os.environ.get("LD_PRELOAD"),
        "blocked": signals()["SigBlk"].strip(),
        "fds": [int(fd) for fd in os.listdir("/proc/self/fd") if int(fd) < 3],
        "stdin": os.readlink("/proc/self/fd/0"),
        "stdout": os.readlink("/proc/self/fd/1"),
    }
    (place / "record").write_text(json.dumps(record))
    driver = subprocess.Popen(
        [sys.executable, str(HERE / "fake_driver.py"), str(place / "control")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (place / "pid").write_text(str(driver.pid))
    assert driver.stdout
    return 0 if driver.stdout.readline() == b"ready\n" else 1


if __name__ == "__main__":
    sys.exit(main())
