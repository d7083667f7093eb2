"""The Keras script of a run: short, in PEP 8, and trained by it a model sees the very losses of the run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.data.augmentation import AUGMENTATIONS, augment
from mnist_core.errors import RunError
from mnist_core.export import keras_script, numpy_augment
from mnist_core.handwriting import mixture
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.processes import cpu_count
from mnist_core.recipes.overrides import apply_overrides
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.store import create_run
from mnist_core.training import dataset, fine_tune, loop
from mnist_core.training.model import make_model

STEPS = 20
TOLERANCE = 1e-4
MOST_LINES = 100
SMALL = Settings((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")), batch_size=32, epochs=30)
VARIANTS = {
    "augmented-fields": {"augmentation": "hand", "uncentered": True},
    "several-epochs": {"batch_size": 150, "schedule": "cosine", "label_smoothing": 0.1, "optimizer": "SGD"},
    "averaged": {"weight_averaging": 0.9, "optimizer": "AdamW", "beta_2": 0.95, "patience": 2, "target_accuracy": 0.99},
    "limited": {"time_budget": 1000.0, "learning_rate": 0.01, "split": "last-fifth", "optimizer": "RMSprop"},
    "stepped": {
        "schedule": "step",
        "decay_factor": 0.3,
        "decay_epochs": 2,
        "warm_up": 0.1,
        "batch_size": 150,
        "optimizer": "SGD",
        "momentum": 0.8,
        "nesterov": True,
        "gradient_clipping": 1.0,
    },
    "fading": {
        "schedule": "exponential",
        "decay_factor": 0.8,
        "batch_size": 150,
        "weight_decay": 0.01,
        "loss": "focal",
        "label_smoothing": 0.1,
        "patience": 40,
        "kernel_initializer": "he_normal",
        "learning_rate": 0.01,
    },
    "warmed": {
        "warm_up": 0.05,
        "batch_size": 150,
        "loss": "squared-error",
        "optimizer": "AdamW",
        "weight_decay": 0.05,
        "learning_rate": 0.02,
    },
    "hinged": {
        "schedule": "cosine",
        "warm_up": 0.15,
        "batch_size": 150,
        "loss": "hinge",
        "optimizer": "RMSprop",
        "weight_decay": 0.01,
        "gradient_clipping": 0.5,
        "weight_averaging": 0.9,
        "patience": 40,
    },
    "steady": {"schedule": "exponential", "warm_up": 0.1, "decay_epochs": 5, "optimizer": "SGD", "momentum": 0.0},
}

DRIVER = """
import json, os, runpy, sys
import keras

class Losses(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.images, self.sum = 0, 0.0
    def on_train_batch_end(self, batch, logs=None):
        told.append(float(logs["loss"]))  # the mean of the epoch so far
        if len(told) == 20:
            self.model.stop_training = True

def watched(self, *arguments, callbacks=(), **options):
    return fit(self, *arguments, callbacks=[*callbacks, Losses()], **options)

fit, keras.Model.fit = keras.Model.fit, watched
found = {}
folder, *names = sys.argv[1:]
for name in names:
    told = []
    os.chdir(os.path.join(folder, name))
    sys.argv = ["train.py", os.path.join(folder, "mnist.npz")]
    runpy.run_path("train.py", run_name="__main__")
    found[name] = told
with open(os.path.join(folder, "losses.json"), "w") as file:
    json.dump(found, file)
"""


def made(name: str, path: Path) -> Run:
    """The run of a recipe or a variant, on few images; with small batches, so that 20 steps are in few of them."""
    if name in RECIPES:
        epochs = max(RECIPES[name].settings.epochs, 10)
        return create_run(make_spec(name, {"batch_size": 16, "epochs": epochs}, str(path), seed=5))
    return create_run(RunSpec(name, apply_overrides(SMALL, VARIANTS[name]), str(path), seed=5))


def losses(run: Run, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """Loss and number of images of the first steps, as the worker trains them."""
    spec, told = run.spec(), []
    gathered = dataset.load_dataset(spec, lambda _: None, 1)
    compiled = loop.compile_training_steps

    def listening(*arguments: Any) -> Any:
        steps = compiled(*arguments)

        def listened(images: Any, labels: Any, rates: Any) -> Any:
            found = steps(images, labels, rates)
            told.extend((float(loss), labels.shape[1]) for loss in np.asarray(found[0]))
            return found

        return listened

    with monkeypatch.context() as patch:
        patch.setattr(loop, "compile_training_steps", listening)
        model = make_model(spec.settings, spec.seed)
        for _ in loop.train(model, spec.settings, gathered.split, spec.seed):
            if len(told) >= STEPS:
                break
    return told[:STEPS]


def means(told: list[tuple[float, int]], images: int) -> list[float]:
    """What Keras tells after each batch: the mean over the images of the epoch so far."""
    found, total, seen = [], 0.0, 0
    for loss, count in told:
        total, seen = total + loss * count, seen + count
        found.append(total / seen)
        if seen == images:
            total, seen = 0.0, 0
    return found


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def both(
    keras: Any, sample: Any, tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch
) -> dict[str, tuple[list[float], list[float]]]:
    """Recipe or variant -> what the run's losses were, and the script's."""
    folder = tmp_path_factory.mktemp("scripts")
    patched.setenv("DIGITLAB_RUNS", str(folder / "runs"))
    patched.setenv("KERAS_HOME", str(folder / "keras"))
    for name in ("some", "many"):
        patched.setitem(mixture.MIXTURES, name, mixture.Mixture(0, 40, 20))
    patched.setattr(keras_script, "pen_digits_available", lambda: False)
    patched.setattr(dataset, "load_pen_split", lambda *_: dataset.PenSplit())
    few = {
        "x_train": sample.x_train[:500],
        "y_train": sample.y_train[:500],
        "x_test": sample.x_test[:100],
        "y_test": sample.y_test[:100],
    }
    np.savez(folder / "mnist.npz", **few)
    ours = {}
    for name in (*RECIPES, *VARIANTS):
        run = made(name, folder / "mnist.npz")
        (folder / name).mkdir()
        for file, content in keras_script.script_files(run).items():
            (folder / name / file).write_bytes(content)
        images = len(dataset.load_dataset(run.spec(), lambda _: None, 1).split.y_train)
        ours[name] = means(losses(run, patched), images)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", DRIVER, str(folder), *ours],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("test accuracy 0.") == len(ours)
    theirs = json.loads((folder / "losses.json").read_text())
    assert all((folder / name / "curves.png").read_bytes().startswith(b"\x89PNG") for name in ours)
    return {name: (ours[name], theirs[name]) for name in ours}


@pytest.mark.parametrize("name", [*RECIPES, *VARIANTS])
def test_script_sees_the_losses_of_the_run(both: dict[str, tuple[list[float], list[float]]], name: str) -> None:
    ours, theirs = both[name]
    assert len(ours) == len(theirs) == STEPS
    assert len({round(loss, 3) for loss in ours}) > STEPS // 2  # it learns
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", list(RECIPES))
def test_script_is_short_and_in_pep_8(name: str, tmp_path: Path) -> None:
    text = keras_script.script_source(create_run(make_spec(name)))
    assert len([line for line in text.splitlines() if line.strip()]) < MOST_LINES
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    checks = ["--isolated", "--line-length", "79", "--select", "E,F,W,N", str(tmp_path / "train.py")]
    done = subprocess.run([sys.executable, "-m", "ruff", "check", *checks], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", list(VARIANTS))
def test_script_of_unusual_settings_is_in_pep_8(name: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(keras_script.script_source(made(name, tmp_path / "mnist.npz")), encoding="utf-8")
    checks = ["--isolated", "--line-length", "79", "--select", "E,F,W,N", str(tmp_path / "train.py")]
    done = subprocess.run([sys.executable, "-m", "ruff", "check", *checks], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_script_needs_three_packages_and_holds_only_what_is_used() -> None:
    text = keras_script.script_source(create_run(make_spec("fleming-cnn")))
    lines = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert {line.split()[1].split(".")[0] for line in lines} == {"sys", "keras", "matplotlib", "numpy"}
    for word in ("augment", "drawings", "uncenter", "EarlyStopping", "Limit", "CosineDecay", "WarmUp", "share"):
        assert word not in text


@pytest.mark.parametrize("size", [28, 56])
def test_augmentation_of_the_script_makes_the_very_pixels_of_the_worker(sample: Any, size: int) -> None:
    """Several thousand images: a place that is rounded otherwise would show in one of them."""
    how = AUGMENTATIONS["hand"]
    assert how is not None
    margin = (size - 28) // 2
    images = np.pad(sample.x_train[:2000], ((0, 0), (margin, margin), (margin, margin)))
    names: dict[str, Any] = {"np": np}
    exec(numpy_augment.augment_source(size, how), names)
    expected = augment(images, how, np.random.default_rng([1, 2, 3]))
    assert (expected != images).mean() > 0.05
    np.testing.assert_array_equal(names["augment"](images, [1, 2, 3]), expected)


def test_the_sample_lies_beside_its_script(sample: Any, tmp_path: Path) -> None:
    files = keras_script.script_files(create_run(make_spec("fast", {}, "sample")))
    assert list(files) == [keras_script.SCRIPT_FILE, keras_script.SAMPLE_FILE]
    (tmp_path / "mnist.npz").write_bytes(files[keras_script.SAMPLE_FILE])
    with np.load(tmp_path / "mnist.npz") as arrays:
        assert set(arrays.files) == {"x_train", "y_train", "x_test", "y_test"}
        np.testing.assert_array_equal(arrays["x_test"], sample.x_test)
    assert list(keras_script.script_files(create_run(make_spec("fast")))) == [keras_script.SCRIPT_FILE]


def test_what_was_done_by_hand_is_said() -> None:
    run = create_run(make_spec("fast"))
    assert "by hand" not in keras_script.script_source(run)
    run.append_metrics({"step": 7, "changed": {"learning_rate": 0.02}})
    assert "At step 7 the run's learning rate was set to 0.02 by hand" in keras_script.script_source(run)


def test_a_taught_model_has_no_script() -> None:
    spec = replace(make_spec("fast"), base=fine_tune.SHIPPED_MODEL)
    with pytest.raises(RunError, match="no script can train it from scratch"):
        keras_script.script_source(create_run(spec))


def test_drawings_are_those_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made again, and not by the worker's own way through `materials`."""
    monkeypatch.setitem(mixture.MIXTURES, "some", mixture.Mixture(0, 12, 6))
    monkeypatch.setattr(keras_script, "pen_digits_available", lambda: False)
    run = create_run(make_spec("canvas", {}, "sample", seed=3))
    trained_on = dataset.load_dataset(run.spec(), lambda _: None, cpu_count()).split
    images, labels = keras_script._drawings(run)
    np.testing.assert_array_equal(images, trained_on.x_train[-18:])
    np.testing.assert_array_equal(labels, trained_on.y_train[-18:])
