"""Whether a process still exists, although process ids are used again and clocks are set."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import psutil

CLOCK_SECONDS = 1.0
"""How much a file's time and the start of a process may differ, since one is rounded."""
START_SECONDS = 2.0
"""Two start times of one process differ by less than this: the time since the boot is rounded."""


def process_identity(pid: int) -> str:
    """What tells a process from every other one that had, or will have, its id; empty if there is none.

    Unlike the time of its start it stays the same when the clock is set: a computer without a clock of its own starts
    in the past.
    """
    try:
        process = psutil.Process(pid)
        boot = psutil.boot_time() if sys.platform == "linux" else 0.0  # Linux counts from the boot, others do not
        return f"{pid} {_boot_id()} {process.create_time() - boot:.2f}"
    except (psutil.Error, ValueError, OverflowError):
        return ""


def identified_process_is_alive(identity: str) -> bool:
    """True while the process runs that `process_identity` described."""
    known = identity.split(" ")
    current = process_identity(int(known[0])).split(" ") if len(known) == 3 and known[0].isdecimal() else []
    try:
        is_same = known[:2] == current[:2] and abs(float(known[2]) - float(current[2])) < START_SECONDS
        return is_same and psutil.Process(int(known[0])).status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError, IndexError, OverflowError):
        return False
    except psutil.Error:  # it may not be asked
        return True


def _boot_id() -> str:
    """Differs after each start of the machine; empty where the system has none."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def process_is_alive(pid: int, seen: float) -> bool:
    """True while a process runs that had this id at a time. A younger process with the same id does not count.

    Args:
        pid: the process id, on this machine.
        seen: when the process existed, in seconds since the epoch.
    """
    try:
        process = psutil.Process(pid)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE  # ended, but its parent has not collected it
        return not is_zombie and bool(process.create_time() <= seen + CLOCK_SECONDS)
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return False
    except psutil.Error:  # it may not be asked
        return True
