"""How many sweeps may run at the same time: each has a process of its own, which takes 70 MB while it waits."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.config import max_sweeps, max_sweeps_each
from mnist_core.errors import QueueFullError


def check_sweep_limits(running: Sequence[str], owner: str) -> None:
    """Checks that one more sweep may run.

    Args:
        running: owners of the sweeps that run or are about to start.
        owner: of the new one. Sweeps without an owner count as one owner's.

    Raises:
        QueueFullError: as many run already as may.
    """
    own = running.count(owner)
    if own >= max_sweeps_each():
        raise QueueFullError(
            f"{own} of your sweeps are running already, and at most {max_sweeps_each()} may. Wait until one has "
            "finished, or pause one. The administrator of this server can raise DIGITLAB_MAX_SWEEPS_EACH."
        )
    if len(running) >= max_sweeps():
        raise QueueFullError(
            f"{len(running)} sweeps are running on this server already, and at most {max_sweeps()} may. Try again when "
            "one has finished. The administrator of this server can raise DIGITLAB_MAX_SWEEPS."
        )
