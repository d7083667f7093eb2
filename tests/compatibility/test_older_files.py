"""What older versions wrote still opens: runs.zip was written by commit 672b06b, before the library had packages.

It holds a finished run of two epochs, a saved network, a kept drawing, and a sweep of two trials with its best trial
retrained, all of one small network on the offline sample.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mnist_core.__main__ import main
from mnist_core.handwriting.corrections import list_corrections

RUN = "20261126-132817-own-7d0ec966"
SWEEP = "20261126-132913-af56779b"
RETRAINED = "20261126-133054-own-ab7319e7"
FILES = Path(__file__).with_name("runs.zip")


@pytest.fixture
def older(runs_root: Path) -> Path:
    """A runs folder as commit 672b06b left it."""
    with zipfile.ZipFile(FILES) as archive:
        archive.extractall(runs_root)
    return runs_root


def printed(*arguments: str) -> Any:
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_run_opens_with_its_settings_scores_and_curves(older: Path) -> None:
    shown = printed("show", RUN)
    assert shown["spec"]["recipe"] == "fast" and shown["spec"]["seed"] == 3
    assert shown["status"]["state"] == "finished" and shown["status"]["epoch"] == 2
    assert shown["card"]["test_accuracy"] == 0.494
    assert len(printed("runs")) == 4


def test_its_model_classifies(older: Path, tmp_path: Path) -> None:
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 4:24, 12:16] = 255
    np.savez(tmp_path / "one.npz", images=image)
    done = CliRunner().invoke(main, ["classify", "--model", RUN, str(tmp_path / "one.npz")])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert len(answer["probabilities"]) == 10 and sum(answer["probabilities"]) == pytest.approx(1, abs=1e-3)


def test_a_sweep_opens_with_its_trials_and_its_best_trial(older: Path) -> None:
    sweep = printed("sweep", "show", SWEEP)
    assert sweep["state"] == "finished"
    assert [trial["settings"]["learning_rate"] for trial in sweep["trials"]] == [0.001, 0.01]
    assert sweep["best"]["trial"] == 1
    assert sweep["winner"]["run"] == RETRAINED and sweep["winner"]["test_accuracy"] == 0.211


def test_a_kept_drawing_opens(older: Path) -> None:
    (drawing,) = list_corrections()
    assert (drawing.label, drawing.predicted, drawing.width) == (1, 7, 20.0)
    assert drawing.image[4:24, 12:16].min() == 255 and int(drawing.image.sum()) == 80 * 255
    np.testing.assert_array_equal(drawing.strokes[0], [[100, 40], [102, 140], [101, 240]])


@pytest.mark.usefixtures("worker_in_thread")
def test_a_run_resumes_and_a_saved_network_trains(older: Path) -> None:
    resumed = printed("resume", RUN, "--epochs", "3")
    assert resumed["run"] == RUN and resumed["state"] == "finished"
    metrics = (older / RUN / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(metrics[-1])["epoch"] == 3 and json.loads(metrics[0])["step"] == 1

    network = ("--recipe", "fast", "--network", "one small layer", "--data", "sample")
    trained = printed("train", *network, "--epochs", "1", "--seed", "3")
    layers = [
        json.loads((older / run / "spec.json").read_text())["settings"]["layers"] for run in (RUN, trained["run"])
    ]
    assert layers[0] == layers[1]
