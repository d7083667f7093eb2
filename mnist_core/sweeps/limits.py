"""How many sweeps may run at the same time: each has a process of its own, which takes 70 MB while it waits."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.config import max_sweeps, max_sweeps_each
from mnist_core.errors import QueueFullError
from mnist_core.wording import plural


def check_sweep_limits(running: Sequence[str], owner: str) -> None:
    """Checks that one more sweep may run.

    Args:
        running: owners of the sweeps that run or are about to start.
        owner: of the new one. Sweeps without an owner count as one owner's.

    Raises:
        QueueFullError: no more may run.
    """
    own, each, limit = running.count(owner), max_sweeps_each(), max_sweeps()
    if own >= each:
        raise QueueFullError(
            f"You have {plural(own, 'running sweep')}; the limit for one person is {each}. Wait until one has "
            "finished, or pause one. The administrator of this server can raise DIGITLAB_MAX_SWEEPS_EACH."
        )
    if len(running) >= limit:
        raise QueueFullError(
            f"This server has {plural(len(running), 'running sweep')}; the limit is {limit}. Try again when one has "
            "finished. The administrator of this server can raise DIGITLAB_MAX_SWEEPS."
        )
