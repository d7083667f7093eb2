"""The expected duration of a training: from the recipe, from earlier runs, and from a measured machine."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.status import Status, stamp_status
from mnist_core.runs.store import create_run
from mnist_core.training import time_model
from mnist_core.training.expected_time import expected_seconds, expected_wait, measure_slowness
from mnist_core.training.fine_tune import make_fine_tune_spec
from mnist_core.training.time_model import WORK_KINDS, TimeModel

FAST = RECIPES["fast"].settings


def ended(seconds: float, host: str = "", **overrides: object) -> Run:
    """A finished run of `fast` on the full MNIST."""
    spec = make_spec("fast", overrides)
    run = create_run(spec)
    host = host or socket.gethostname()
    epochs = spec.settings.epochs
    run.write_status(Status("finished", "", epochs, epochs, 100, 100, train_seconds=seconds, host=host))
    return run


def test_new_machine_is_taken_for_the_one_of_the_recipes() -> None:
    assert expected_seconds("fast", FAST, "full") == RECIPES["fast"].epoch_seconds
    assert expected_seconds("fast", replace(FAST, epochs=3), "full") == 3 * RECIPES["fast"].epoch_seconds
    sample = expected_seconds("fast", FAST, "sample")
    assert sample == pytest.approx(RECIPES["fast"].epoch_seconds * 4_000 / 60_000)
    assert expected_seconds("gone", FAST, "full") is None


def test_latest_comparable_run_says_how_slow_the_machine_is() -> None:
    ended(4 * RECIPES["fast"].epoch_seconds, epochs=2)
    assert measure_slowness() == 2
    assert expected_seconds("fast", FAST, "full") == 2 * RECIPES["fast"].epoch_seconds


@pytest.mark.parametrize(("seconds", "host"), [(1000.0, "elsewhere"), (0.5, "")])
def test_runs_of_other_machines_and_short_ones_say_nothing(seconds: float, host: str) -> None:
    ended(seconds, host)
    assert measure_slowness() == 1


def test_a_run_that_its_time_budget_ended_counts_with_the_share_that_it_trained() -> None:
    """A tenth of its four epochs in a tenth of the time: the machine is as fast as the recipe says."""
    run = create_run(make_spec("fast", {"epochs": 4, "time_budget": 3.0}))
    seconds = 0.4 * RECIPES["fast"].epoch_seconds
    status = Status("finished", "", 0, 4, 10, 100, train_seconds=max(seconds, 3.0), host=socket.gethostname())
    run.write_status(status)
    assert status.epochs_trained == 0.4 and Status().epochs_trained == 0
    assert measure_slowness() == pytest.approx(max(seconds, 3.0) / seconds)


def test_a_queued_run_takes_no_longer_than_its_time_budget() -> None:
    run = create_run(make_spec("fast", {"epochs": 1000, "time_budget": 10.0}))
    run.write_status(stamp_status(run.status()))
    assert expected_wait([run], 1) == 10


def measured_machine() -> TimeModel:
    """A machine that takes a second for each step."""
    costs = {kind: float(kind == "step") for kind in WORK_KINDS}
    model = TimeModel(costs, 0.0, time_model.machine_id(), 2, 0.0)
    time_model.save_time_model(model)
    return model


def test_a_queued_fine_tuning_takes_as_long_as_its_few_images() -> None:
    """4,000 MNIST digits, 15% corrections and 1,300 drawings in batches of 64: 94 steps, and the validation."""
    measured_machine()
    run = create_run(make_fine_tune_spec("default"))
    run.write_status(stamp_status(run.status()))
    wait = expected_wait([run], 1)
    assert wait is not None and 94 <= wait < 120


def test_measured_machine_needs_no_runs() -> None:
    model = measured_machine()
    assert expected_seconds("fast", FAST, "full") == model.epoch_seconds(FAST, "full") > 235


def in_progress(state: str, **values: object) -> Run:
    run = create_run(make_spec("fast"))
    run.write_status(stamp_status(replace(run.status(), state=state, **values)))
    return run


def test_a_queued_run_starts_when_the_runs_before_it_have_left_a_slot() -> None:
    training, just_started = in_progress("running", seconds_left=30.0), in_progress("running", step=25, steps=100)
    queued = in_progress("queued")
    whole = RECIPES["fast"].epoch_seconds
    assert expected_wait([training], 1) == 30
    assert expected_wait([training, just_started], 2) == 0.75 * whole
    assert expected_wait([training, just_started, queued], 2) == 1.75 * whole
    assert expected_wait([training, queued], 1, slowness=2) == 30 + 2 * whole
    assert expected_wait([in_progress("paused", step=25, steps=100), queued], 1) is None
