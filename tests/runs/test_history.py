"""The history of runs: their rows, labels and the trash; and rows of runs whose files are invalid."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnist_core.errors import RunError, RunNotFoundError
from mnist_core.files.write import write_json
from mnist_core.networks.architecture import layers_to_json
from mnist_core.networks.layers import Dense, Flatten
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs import history, ranking
from mnist_core.runs.comparison import describe_live_changes, live_changes, settings_table
from mnist_core.runs.labels import MAX_NAME, Label, read_label, run_title, update_label
from mnist_core.runs.names import memorable_name
from mnist_core.runs.run import Run
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run, list_runs
from mnist_core.runs.trash import (
    KEPT_SECONDS,
    TRASH_FOLDER,
    empty_trash,
    find_in_trash,
    move_to_trash,
    restore_from_trash,
    trashed_runs,
)
from tests.support import Trained


@pytest.fixture
def finished(trained: Trained, runs_root: Path) -> Run:
    shutil.copytree(trained.run.path, runs_root / trained.run.id)
    return Run(runs_root / trained.run.id)


def new_run(**overrides: object) -> Run:
    return create_run(make_spec("fast", overrides, "sample"))


def stop(run: Run) -> Run:
    run.write_status(replace(run.status(), state="stopped"))
    return run


def test_row_has_the_figures_of_the_card(finished: Run) -> None:
    row, card = history.history_row(finished), finished.card()
    assert (row["run"], row["recipe"], row["state"], row["data"]) == (finished.id, "fast", "finished", "sample")
    assert (row["test_accuracy"], row["test_loss"]) == (card["test_accuracy"], card["test_loss"])
    assert row["parameters"] == RECIPES["fast"].parameters
    assert row["epochs"] == 2 and row["changed"] == "epochs 2, seed 1"
    assert row["train_seconds"] > 0 and row["images_per_second"] > 0


def test_changes_during_the_training_are_among_the_changes() -> None:
    run = new_run(epochs=3)
    run.update_control(learning_rate=0.5, epochs=1)  # requested; the training has not applied it
    assert history.history_row(run)["changed"] == "epochs 3"
    for step, changed in enumerate(({"learning_rate": 0.1}, {}, {"learning_rate": 0.01, "epochs": 4})):
        run.append_metrics({"step": step, **({"changed": changed} if changed else {})})
    words = "epochs 3, learning_rate 0.1, then 0.01 while training, epochs 4 while training"
    assert history.history_row(run)["changed"] == words
    stop(run)
    assert history.history_rows()[0]["changed"] == words
    spec, live = run.spec(), live_changes(run.metrics().rows)
    rows = {row["setting"]: row for row in settings_table([spec, spec], [live, {}])}
    assert rows["learning_rate"]["values"] == ["0.01, then 0.1, then 0.01", "0.01"] and rows["learning_rate"]["differs"]


def test_of_many_changes_the_first_and_the_last_are_named() -> None:
    assert describe_live_changes({"epochs": range(10)}) == ["epochs 0, then …, then 8, then 9 while training"]
    assert describe_live_changes({"epochs": range(4)}) == ["epochs 0, then 1, then 2, then 3 while training"]


def test_the_validation_accuracy_is_that_of_the_card(finished: Run) -> None:
    """Of a training that ended within an epoch, no report is about the model."""
    finished.write_card({**finished.card(), "val_accuracy": 0.125})
    assert history.history_row(finished)["val_accuracy"] == 0.125
    card = finished.card()
    del card["val_accuracy"]  # as earlier versions wrote it
    finished.write_card(card)
    assert history.history_row(finished)["val_accuracy"] == finished.metrics().rows[-1]["val_accuracy"]


def test_a_run_without_a_model_has_a_row() -> None:
    row = history.history_row(new_run(dropout=0.5) if RECIPES["fast"].settings.dropout else new_run(epochs=3))
    assert row["state"] == "queued" and row["test_accuracy"] is None and row["epochs"] == 3


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 99, "settings": {}}', "\0"])
def test_a_broken_run_has_a_row_and_changes_no_other(content: str, finished: Run) -> None:
    broken = new_run()
    (broken.path / "spec.json").write_text(content)
    (broken.path / "card.json").write_text('{"data": [1]}' if content == "[]" else content)
    rows = {row["run"]: row for row in history.history_rows()}
    assert rows[broken.id]["recipe"] is None
    assert rows[finished.id]["test_accuracy"] is not None


@pytest.mark.parametrize(
    ("part", "best", "tested"),
    [("", "another", False), ("", "itself", False), ("1", "another", False), ("1", "itself", True), ("1", "", False)],
)
def test_of_a_sweep_only_the_best_retrained_model_has_test_scores(
    part: str, best: str, tested: bool, finished: Run, runs_root: Path
) -> None:
    """Also in a run of an earlier version, which tested every trial."""
    write_json(finished.path / "sweep.json", {"sweep": "20260101-000000-12345678", "trial": 3, "part": part})
    if best:
        folder = runs_root / "sweeps" / "20260101-000000-12345678"
        folder.mkdir(parents=True)
        write_json(folder / "winner.json", {"run": finished.id if best == "itself" else best})
    row = history.history_row(finished)
    assert (row["test_accuracy"] is not None) is (row["test_loss"] is not None) is tested
    assert row["val_accuracy"] == finished.metrics().rows[-1]["val_accuracy"]
    assert ("test" in finished.card()) is tested
    assert history.history_rows() == [row]
    if best == "itself" and part:  # another retrained model becomes the best
        write_json(folder / "winner.json", {"run": "another"})
        assert history.history_rows() == [history.history_row(finished)] != [row]
        write_json(folder / "winner.json", {"run": finished.id})
    assert ("test images" in finished.status().message) is tested and finished.status().message.startswith("Finished")


def test_a_run_whose_reports_cannot_be_read_has_a_row(finished: Run) -> None:
    (finished.path / "metrics.jsonl").unlink()
    (finished.path / "metrics.jsonl").mkdir()
    (row,) = history.history_rows()
    assert row["run"] == finished.id and row["val_accuracy"] == finished.card()["val_accuracy"]
    (finished.path / "card.json").unlink()
    assert history.history_row(finished)["val_accuracy"] is None


def test_name_star_and_note_are_kept() -> None:
    run = new_run()
    assert read_label(run) == Label()
    update_label(run, name="  the  good\none ", note="first line\nsecond line ")
    update_label(run, starred=True)
    assert read_label(run) == Label("the good one", True, "first line\nsecond line")
    assert history.history_row(run)["name"] == "the good one"
    update_label(run, name="   ")
    assert run_title(run) == memorable_name(run.id)


@pytest.mark.parametrize("changes", [{"name": "x" * 10_000}, {"note": "x" * 10_000}])
def test_a_label_that_is_too_long_is_refused(changes: dict[str, str]) -> None:
    run = new_run()
    update_label(run, name="before")
    with pytest.raises(RunError, match="10,000 characters"):
        update_label(run, **changes)
    assert read_label(run).name == "before"


@pytest.mark.parametrize("content", ["{", "[1]", '{"name": 5, "note": [], "starred": "yes"}', '{"name": null}'])
def test_a_broken_label_is_empty(content: str) -> None:
    run = new_run()
    (run.path / "label.json").write_text(content)
    assert read_label(run) == Label()


@given(st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_one_visible_line_or_refused(tmp_path: Path, text: str) -> None:
    tmp_path.joinpath("run").mkdir(exist_ok=True)
    run = Run(tmp_path / "run")
    try:
        name = update_label(run, name=text).name
    except RunError:
        assert len(text.strip()) > MAX_NAME
    else:
        assert name == read_label(run).name and name.isprintable() and len(name) <= MAX_NAME


def test_a_deleted_run_is_restored_with_all_files(finished: Run, runs_root: Path) -> None:
    files = {path.name: path.read_bytes() for path in finished.path.iterdir() if path.is_file()}
    move_to_trash(finished)
    assert list_runs() == [] and list(trashed_runs()) == [finished.id]
    restore_from_trash(finished.id)
    assert {path.name: path.read_bytes() for path in finished.path.iterdir() if path.is_file()} == files
    assert trashed_runs() == {}


def test_the_trash_is_emptied_after_a_day(finished: Run, runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_to_trash(finished)
    empty_trash()
    assert list(trashed_runs()) == [finished.id]
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + KEPT_SECONDS + 60)
    empty_trash()
    assert trashed_runs() == {} and list((runs_root / TRASH_FOLDER).iterdir()) == []


def test_running_run_is_not_deleted() -> None:
    run = new_run()
    with pytest.raises(RunError, match="Stop it"):
        move_to_trash(run)
    assert run.path.is_dir()


@pytest.mark.parametrize("name", ["../x", "nothing", "", "x" * 500])
def test_only_runs_in_the_trash_are_restored(name: str) -> None:
    move_to_trash(stop(new_run()))
    with pytest.raises(RunNotFoundError):
        restore_from_trash(name)


def test_other_files_in_the_trash_are_left_alone(runs_root: Path) -> None:
    (runs_root / TRASH_FOLDER / "notes").mkdir(parents=True)
    (runs_root / TRASH_FOLDER / "1-file").write_text("x")
    empty_trash()
    assert trashed_runs() == {}
    assert len(list((runs_root / TRASH_FOLDER).iterdir())) == 2


def test_settings_side_by_side_mark_what_differs() -> None:
    specs = [make_spec("fast"), make_spec("fast", {"learning_rate": 0.5}, seed=7)]
    rows = {row["setting"]: row for row in settings_table(specs)}
    assert {name for name, row in rows.items() if row["differs"]} == {"learning_rate", "seed"}
    assert rows["learning_rate"]["values"] == ["0.01", "0.5"]
    assert "107,482 parameters" in rows["network"]["values"][0]
    json.dumps(list(rows.values()))


def test_networks_side_by_side_differ_even_in_one_activation() -> None:
    networks = [(Flatten(), Dense(20, activation), Dense(10, "softmax")) for activation in ("relu", "tanh")]
    specs = [make_spec("fast", {"layers": layers_to_json(network)}) for network in networks]
    rows = {row["setting"]: row for row in settings_table(specs)}
    assert {name for name, row in rows.items() if row["differs"]} == {"network"}
    first, second = rows["network"]["values"]
    assert "Dense(units=20, activation='relu') 20" in first and first.replace("relu", "tanh") == second


# invalid files, newer versions, wrong clocks


def row_of_broken_run(finished: Run, broken: Run) -> dict[str, object]:
    """The row of a broken run; that of the finished one must be as usual."""
    rows = {row["run"]: row for row in history.history_rows()}
    assert rows[finished.id]["test_accuracy"] == finished.card()["test_accuracy"]
    assert set(rows[broken.id]) == set(history.COLUMNS)
    json.dumps(rows, allow_nan=False)
    return rows[broken.id]


@pytest.mark.parametrize("accuracy", ['"high"', "[1]", "true", "NaN", "Infinity", "-1", "1" + "0" * 400, "null", "{}"])
def test_invalid_figures_are_none(accuracy: str, finished: Run) -> None:
    broken = stop(new_run())
    content = f'{{"test_accuracy": {accuracy}, "test_loss": {accuracy}, "data": {{"name": 7}}}}'
    (broken.path / "card.json").write_text(content)
    row = row_of_broken_run(finished, broken)
    assert row["test_accuracy"] is None and row["data"] == "sample"
    assert list(ranking.leaderboards(history.history_rows())) == ["sample"]


def test_a_run_of_a_newer_version_or_without_status_has_a_row(finished: Run) -> None:
    newer = stop(new_run())
    spec = json.loads((newer.path / "spec.json").read_text())
    (newer.path / "spec.json").write_text(json.dumps({**spec, "schema": 99}))
    assert row_of_broken_run(finished, newer)["recipe"] is None
    bare = new_run()
    (bare.path / "status.json").unlink()
    assert row_of_broken_run(finished, bare)["state"] == "interrupted"
    (bare.path / "spec.json").write_text("[]")
    (bare.path / "status.json").write_text('{"state": ["running"], "epoch": "many"}')
    assert row_of_broken_run(finished, bare)["state"] == "failed"
    move_to_trash(bare)
    assert list(trashed_runs()) == [bare.id]


def test_a_run_with_a_future_heartbeat_is_interrupted_if_its_process_is_gone(finished: Run) -> None:
    ahead, remote = new_run(), new_run()
    status = replace(ahead.status(), state="running", pid=2**22 + 1, heartbeat=time.time() + 86_400)
    ahead.write_status(status)
    assert row_of_broken_run(finished, ahead)["state"] == "interrupted"
    ahead.write_status(replace(status, pid=os.getpid()))
    assert row_of_broken_run(finished, ahead)["state"] == "running", "its process exists"
    remote.write_status(replace(status, host="elsewhere"))
    assert row_of_broken_run(finished, remote)["state"] == "running", "its clock may be ahead of ours"


def test_a_run_created_in_the_future_has_a_row(finished: Run) -> None:
    future = stop(create_run(replace(make_spec("fast", {}, "sample"), created=time.time() + 1e6)))
    assert row_of_broken_run(finished, future)["created"] > time.time()
    spec = json.loads((future.path / "spec.json").read_text())
    (future.path / "spec.json").write_text(json.dumps({**spec, "created": 1e300}))
    assert row_of_broken_run(finished, future)["created"] is None


def test_a_run_deleted_in_the_future_is_kept_for_a_day_from_now(
    finished: Run, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 1e6)
        move_to_trash(finished)
    assert trashed_runs()[finished.id] <= time.time()
    empty_trash()
    assert list(trashed_runs()) == [finished.id]
    monkeypatch.setattr(time, "time", lambda: now + KEPT_SECONDS + 60)
    empty_trash()
    assert trashed_runs() == {} and list((runs_root / TRASH_FOLDER).iterdir()) == []


def test_the_label_of_a_run_in_the_trash_can_be_read(finished: Run) -> None:
    update_label(finished, name="the good one")
    move_to_trash(finished)
    assert run_title(find_in_trash(finished.id)) == "the good one"


def test_run_is_not_restored_over_another(finished: Run) -> None:
    move_to_trash(finished)
    shutil.copytree(find_in_trash(finished.id).path, finished.path)
    with pytest.raises(RunError, match="cannot be restored"):
        restore_from_trash(finished.id)
    assert list(trashed_runs()) == [finished.id] and finished.has_model
