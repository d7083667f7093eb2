"""Whose turn it is, where several people wait for the same workers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence


def next_turns(waiting: Sequence[str], running: Mapping[str, int], served: Mapping[str, int]) -> list[int]:
    """The order in which those who wait are served.

    Each turn goes to the owner with the fewest workers; among equals to the one served longest ago, then to the one
    who has waited longest. Within an owner, first come, first served.

    Args:
        waiting: the owner of each waiting run, in order of submission.
        running: owner -> workers at this moment.
        served: owner -> the number of the last turn it had; turns are numbered upwards from 1.

    Returns:
        Indices into `waiting`, each once.
    """
    queues: dict[str, deque[int]] = {}
    for index, owner in enumerate(waiting):
        queues.setdefault(owner, deque()).append(index)
    workers, turns = Counter(running), dict(served)
    order: list[int] = []
    while queues:
        owner = min(queues, key=lambda name: (workers[name], turns.get(name, 0), queues[name][0]))
        order.append(queues[owner].popleft())
        workers[owner] += 1
        turns[owner] = max(turns.values(), default=0) + 1
        if not queues[owner]:
            del queues[owner]
    return order
