"""Folders of sweeps: found, damaged, resumed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mnist_core.errors import RunNotFoundError, SettingError, SweepError, SweepNotFoundError
from mnist_core.files.write import write_json
from mnist_core.runs.store import find_run
from mnist_core.sweeps.launch import resume_sweep
from mnist_core.sweeps.plan import make_plan
from mnist_core.sweeps.store import create_sweep, find_sweep, summarize_sweep
from tests.sweeps.fakes import RATES, make_plan_of_tiny


def test_a_damaged_sweep_says_which_file() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES))
    write_json(sweep.path / "trials.json", {"trials": [1, {"trial": "x"}, None]})
    assert sweep.trials() == [], "damaged rows are left out"
    (sweep.path / "sweep.json").write_text("{}")
    with pytest.raises(SweepError) as caught:
        sweep.plan()
    assert str(sweep.path / "sweep.json") in str(caught.value) and "None" in str(caught.value)
    assert summarize_sweep(sweep)["state"] == "unreadable"


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"learning_rate": 0.01, "batch_size": 64}, True),
        ({"learning_rate": 0.01}, False),
        ({"learning_rate": "0.01", "batch_size": 64}, False),
        ({"learning_rate": 5.0, "batch_size": 64}, False),
        ({"learning_rate": 0.01, "batch_size": 65}, False),
        ([], False),
    ],
)
def test_a_trial_has_a_value_of_each_dimension(settings: object, kept: bool) -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, "batch_size=32,64"))
    write_json(sweep.path / "trials.json", {"trials": [{"trial": 0, "settings": settings, "values": []}]})
    assert len(sweep.trials()) == kept


def test_ids_that_are_none_are_not_found() -> None:
    for name in ("..", "nonsense", "../../etc", "20260101-000000-00000000"):
        with pytest.raises(SweepNotFoundError, match=name):
            find_sweep(name)
    with pytest.raises(RunNotFoundError):
        find_run("sweeps")


def test_a_sweep_is_extended_by_its_control_and_a_grid_no_further_than_its_points() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES, trials=5))
    for control, expected in ((None, 5), (40, 40), (0, 5), ("many", 5), (10_001, 5)):
        sweep.update_control(trials=control)
        assert sweep.target_trials(sweep.plan()) == expected
    grid = create_sweep(make_plan("fast", ["batch_size=32,64,128"], trials=2, sampler="grid"))
    grid.update_control(trials=40)
    assert grid.target_trials(grid.plan()) == 3


def test_resuming_with_a_bad_number_of_trials_changes_nothing() -> None:
    sweep = create_sweep(make_plan_of_tiny(RATES))
    sweep.files.write_status(replace(sweep.files.status(), state="finished"))
    with pytest.raises(SettingError, match="0"):
        resume_sweep(sweep, trials=0)
    assert sweep.status().state == "finished" and sweep.files.control() == {}
