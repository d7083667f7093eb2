"""Says why something could not be written, and what to do about it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a full disk, a used-up quota and a limit on the size of files."""
NOT_PERMITTED = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain_write_error(
    error: OSError, folder: Path, elsewhere: str = "set DIGITLAB_RUNS to a folder on another disk"
) -> str:
    """Says in sentences why something could not be written, and what to do about it.

    Args:
        error: as it was raised.
        folder: that could not be written to.
        elsewhere: what to do in order to write somewhere else.
    """
    if error.errno in DISK_FULL:
        return (
            f"The disk of {folder} is full{_free_space(folder)}. Free some space on it (deleted runs keep theirs for a "
            f"day, in .bin), or {elsewhere}."
        )
    if error.errno in NOT_PERMITTED:
        return f"{error}. Fix the permissions of {folder}, or {elsewhere}."
    if isinstance(error, FileNotFoundError):
        return f"{error}. It may have been deleted a moment ago."
    return f"{error}. Fix that, or {elsewhere}."


def _free_space(folder: Path) -> str:
    existing = next((each for each in (folder, *folder.absolute().parents) if each.exists()), None)
    try:
        usage = shutil.disk_usage(existing or folder)
    except OSError:
        return ""
    return f": {usage.free / 1e6:,.1f} of {usage.total / 1e6:,.1f} MB are free"
