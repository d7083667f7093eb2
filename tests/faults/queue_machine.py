"""What must hold after each step of `queue_rules`, and when all faults have ended."""

from __future__ import annotations

import shutil

from hypothesis.stateful import invariant

from tests.faults.queue_rules import QueueRules

SETTLE_TURNS = 60
"""After the last fault, everything has ended within this many turns of each server."""


class QueueMachine(QueueRules):
    """The rules, and what must hold."""

    @invariant()
    def nothing_is_trained_twice_or_too_much(self) -> None:
        self.counts["steps"] += 1
        assert self.world.violations == []

    @invariant()
    def nobody_else_is_stopped(self) -> None:
        for run in self.runs:
            assert run.recorded_state != "stopped" or run.id in self.stoppable, f"{run.id} was stopped for another"

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self._installed.close()
            shutil.rmtree(self.root, ignore_errors=True)

    def settle(self) -> None:
        """No more faults. Every run must end, and every run that nobody has disturbed must be trained once."""
        world = self.world
        world.writes_left = float("inf")
        world.kill_after.clear()
        for run in self.runs:
            if run.path.is_dir():
                run.update_control(paused=False)
        world.start_server()
        for _ in range(SETTLE_TURNS):
            world.elapsed += 1.0
            for server in world.servers:
                self.turn_of(server)
            for worker in world.workers():
                world.work(worker, "finish")
        self.nothing_is_trained_twice_or_too_much()
        self.nobody_else_is_stopped()
        for run in self.runs:
            if not run.path.is_dir():
                continue
            self.counts["runs"] += 1
            assert run.status().final, f"{run.id} is {run.recorded_state} for ever: {run.status()}"
            if run.id not in self.disturbed:
                assert run.recorded_state == "finished", f"{run.id} was lost: {run.status()}"
                trainings = world.trainings.get(run.id, 0)
                assert 1 <= trainings <= 1 + self.resumed[run.id], f"{run.id} was trained {trainings} times"
