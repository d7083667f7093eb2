"""Decides whose run trains next when several people wait for the same workers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence


def next_turns(waiting: Sequence[str], running: Mapping[str, int], served: Mapping[str, int]) -> list[int]:
    """Returns the order in which waiting runs are started.

    Each turn goes to the owner with the fewest workers. Among equals it goes to the owner whose last turn is longest
    ago, then to the one who has waited longest. Runs of one owner start in the order of their submission.

    Args:
        waiting: the owner of each waiting run, in order of submission.
        running: owner -> number of workers at the moment.
        served: owner -> number of the owner's last turn; turns are numbered from 1.

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
