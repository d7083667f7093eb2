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
    own, each, limit = running.count(owner), max_sweeps_each(), max_sweeps()
    if own >= each:
        raise QueueFullError(
            f"{own} of your sweeps {'is' if own == 1 else 'are'} running already, and at most {each} may. Wait until "
            "one has finished, or pause one. The administrator of this server can raise DIGITLAB_MAX_SWEEPS_EACH."
        )
    if len(running) >= limit:
        raise QueueFullError(
            f"The sweeps that run on this server are {len(running)}, and at most {limit} may. Try again when one has "
            "finished. The administrator of this server can raise DIGITLAB_MAX_SWEEPS."
        )
