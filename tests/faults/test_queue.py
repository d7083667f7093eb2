"""The queue under every mixture of requests and faults that Hypothesis thinks of: model-based, on a fake machine.

`queue_world` says what is real and what is not, `queue_rules` what happens, and `queue_machine` what must hold. The
long form takes 10,000 steps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from mnist_core.jobs.lifecycle import start_run
from mnist_core.runs import claims
from mnist_core.runs.store import list_runs
from tests.faults.queue_machine import QueueMachine
from tests.faults.queue_rules import ANN, BEN, SPEC
from tests.faults.queue_world import World
from tests.faults.report import scale, write_table

STEPS = 50
"""Steps of one example."""


def test_a_clock_that_is_set_forward_gives_a_waiting_run_to_no_other_server(tmp_path: Path) -> None:
    """On Linux the start of a process moves with the clock: its server counted as a later process of the same id."""
    world = World(tmp_path)
    with world.installed():
        first = world.start_server()
        world.call(first, lambda: start_run(first.backend, SPEC, ANN))
        (run,) = list_runs(tmp_path)
        world.clock_set_by += 7200.0
        assert run.status().state == "queued"
        second = world.start_server()
        assert first.backend.holds(run) and not second.backend.holds(run)


def test_a_worker_whose_server_died_before_it_had_noted_it_leaves_the_run_to_the_next_server(tmp_path: Path) -> None:
    world = World(tmp_path)
    with world.installed():
        first = world.start_server()
        world.call(first, lambda: start_run(first.backend, SPEC, ANN))
        (run,) = list_runs(tmp_path)
        world.kill_after[first.pid] = 1  # the slot is taken and the worker started, but not noted
        assert not world.call(first, first.backend.update)
        world.elapsed += 3.0
        second = world.start_server()
        world.call(second, second.backend.update)
        orphan, worker = world.workers()
        for process in (orphan, worker, orphan):
            if process.alive:
                world.work(process, "epoch")
        assert (orphan.returncode, worker.alive, run.status().pid) == (claims.EXIT_STATUS, True, worker.pid)


@pytest.mark.parametrize("owners", [[ANN], [ANN, BEN, BEN]])
def test_a_worker_that_leaves_its_run_to_another_has_not_trained_it(owners: list[str]) -> None:
    """The harness took it for a second training of its run; and, if its server's process id was used again, for a third
    training at once."""
    QueueMachine.counts.clear()
    machine = QueueMachine()
    (server,) = machine.world.servers
    for owner in owners:
        machine.submit_one(0, owner)
    machine.world.kill_after[server.pid] = 1  # the slot is taken and the worker started, but not noted
    machine.turn_of(server)
    machine.world.elapsed += 3.0
    machine.world.new_process(server.pid)
    machine.teardown()
    assert machine.counts["runs"] == len(owners) == sum(machine.world.trainings.values())
    assert len([process for process in machine.world.table.values() if process.run]) == len(owners) + 1


def test_the_queue_survives_every_mixture_of_requests_and_faults() -> None:
    QueueMachine.counts.clear()
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=scale(12, 300),
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=True,
            print_blob=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    counts: dict[str, Any] = dict(QueueMachine.counts)
    names = ["steps", "runs", *sorted(set(counts) - {"steps", "runs"})]
    columns = [*names, "trained twice", "lost", "more at once than allowed"]
    write_table("queue", columns, [[*(counts[name] for name in names), 0, 0, 0]], "make test-faults ARGS='-k queue'")
