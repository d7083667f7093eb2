"""The Keras script of a run: it is short, follows PEP 8, and trains with the same losses as the run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.data.augmentation import AUGMENTATIONS, augment
from mnist_core.data.splits import SPLITS
from mnist_core.errors import RunError
from mnist_core.export import keras_files, keras_script, numpy_augment
from mnist_core.handwriting import mixture
from mnist_core.networks.layers import Dense, Flatten, Rescaling
from mnist_core.processes import cpu_count
from mnist_core.recipes.overrides import apply_overrides
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.settings import Settings
from mnist_core.reproduction.plain_keras import parse_scores
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.store import create_run
from mnist_core.training import dataset, fine_tune, loop
from mnist_core.training.model import make_model
from tests.support import ROOT

STEPS = 20
MAX_LINES = 100
SMALL = Settings((Rescaling(1 / 255), Flatten(), Dense(10, "softmax")), batch_size=32, epochs=30)
TRAINED_RECIPES = ("canvas", "fleming-cnn", "lesson08-uncentered-mlp", "fast")
"""Their scripts are trained. The scripts of other recipes consist of the same lines, but for the network."""
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
from mnist_core.processes import import_keras
keras = import_keras()

class Losses(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.images, self.sum = 0, 0.0
    def on_train_batch_end(self, batch, logs=None):
        losses.append(float(logs["loss"]))  # the mean of the epoch so far
        if len(losses) == 20:
            self.model.stop_training = True

def recorded_fit(self, *arguments, callbacks=(), **options):
    return fit(self, *arguments, callbacks=[*callbacks, Losses()], **options)

fit, keras.Model.fit = keras.Model.fit, recorded_fit
result = {}
folder, *names = sys.argv[1:]
for name in names:
    losses = []
    os.chdir(os.path.join(folder, name))
    sys.argv = ["train.py", os.path.join(folder, "mnist.npz")]
    runpy.run_path("train.py", run_name="__main__")
    result[name] = losses
with open(os.path.join(folder, "losses.json"), "w") as file:
    json.dump(result, file)
"""


def small_run(name: str, data: Path) -> Run:
    """The run of a recipe or variant. Batches are small, so that 20 steps need few images."""
    if name in RECIPES:
        epochs = max(RECIPES[name].settings.epochs, 10)
        return create_run(make_spec(name, {"batch_size": 16, "epochs": epochs}, str(data), seed=5))
    return create_run(RunSpec(name, apply_overrides(SMALL, VARIANTS[name]), str(data), seed=5))


def losses_of_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The losses of the first steps as the worker trains them, in Keras's way: the mean of the epoch so far."""
    spec, losses = run.spec(), list[tuple[float, int]]()
    split = dataset.load_dataset(spec, lambda *_: None, 1).split
    compile_steps = loop.compile_training_steps

    def recording(*arguments: Any) -> Any:
        steps = compile_steps(*arguments)

        def recorded(images: Any, labels: Any, rates: Any) -> Any:
            result = steps(images, labels, rates)
            losses.extend((float(loss), labels.shape[1]) for loss in np.asarray(result[0]))
            return result

        return recorded

    with monkeypatch.context() as patch:
        patch.setattr(loop, "compile_training_steps", recording)
        model = make_model(spec.settings, spec.seed)
        for _ in loop.train(model, spec.settings, split, spec.seed):
            if len(losses) >= STEPS:
                break
    return epoch_means(losses[:STEPS], len(split.y_train))


def epoch_means(losses: list[tuple[float, int]], images_per_epoch: int) -> list[float]:
    """The mean over the images of the epoch so far, after each (loss, images) step."""
    means, total, seen = [], 0.0, 0
    for loss, images in losses:
        total, seen = total + loss * images, seen + images
        means.append(total / seen)
        if seen == images_per_epoch:
            total, seen = 0.0, 0
    return means


@pytest.fixture(scope="module")
def losses(
    keras: Any, sample: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[list[float], list[float]]]]:
    """Recipe or variant -> the losses of the run, and those of its script.

    One process runs all scripts of TRAINED_RECIPES and VARIANTS, while this one trains the runs.
    """
    folder = tmp_path_factory.mktemp("scripts")
    data = folder / "mnist.npz"
    np.savez(
        data,
        x_train=sample.x_train[:500],
        y_train=sample.y_train[:500],
        x_test=sample.x_test[:100],
        y_test=sample.y_test[:100],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITLAB_RUNS", str(folder / "runs"))
        patch.setenv("KERAS_HOME", str(folder / "keras"))
        patch.setitem(mixture.MIXTURES, "some", mixture.Mixture(0, 40, 20))
        patch.setattr(keras_files, "pen_digits_available", lambda: False)
        patch.setattr(dataset, "load_pen_split", lambda *_: dataset.PenSplit())
        runs = {name: small_run(name, data) for name in (*TRAINED_RECIPES, *VARIANTS)}
        for name, run in runs.items():
            (folder / name).mkdir()
            for file, content in keras_files.script_files(run).items():
                (folder / name / file).write_bytes(content)
        command = [sys.executable, "-W", "error::UserWarning", "-c", DRIVER, str(folder), *runs]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as scripts:
            try:
                of_runs = {name: losses_of_run(run, patch) for name, run in runs.items()}
                output, errors = scripts.communicate(timeout=900)
            finally:
                scripts.kill()
    assert scripts.returncode == 0, errors[-3000:]
    printed = re.split(r"(?<=test accuracy \d\.\d{4}\n)", output)[:-1]
    assert len(printed) == len(runs)
    for text in printed:  # `reproduce --seeds` finds every epoch in it
        assert parse_scores(text, text.count("Epoch ")), text
    of_scripts = json.loads((folder / "losses.json").read_text())
    assert all((folder / name / "curves.png").read_bytes().startswith(b"\x89PNG") for name in runs)
    yield {name: (of_runs[name], of_scripts[name]) for name in runs}


@pytest.mark.slow
def test_scripts_train_with_the_losses_of_the_run(losses: dict[str, tuple[list[float], list[float]]]) -> None:
    for name, (of_run, of_script) in losses.items():
        assert len(of_run) == len(of_script) == STEPS, name
        assert len({round(loss, 3) for loss in of_run}) > STEPS // 2, f"{name} does not learn"
        np.testing.assert_allclose(of_script[:10], of_run[:10], rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(of_script, of_run, rtol=1e-3, err_msg=name)  # rounding grows with each step


def parts_of_script(run: Run) -> tuple[str, str, set[str]]:
    """The import of the layers; the definition of the network; all other lines but the title and the sizes."""
    text = keras_script.script_source(run).partition("\n")[2]
    start, imports, text = text.partition("from keras.layers import ")
    layers, _, text = text.partition("\n\nSEED, EPOCHS, BATCH_SIZE = ")
    middle, seed, text = text.partition("\n")[2].partition("keras.utils.set_random_seed(SEED)")
    network, bracket, end = text.partition("\n])\n")
    return imports + layers, seed + network + bracket, {*(start + middle + end).splitlines()}


def layer_configs(model: Any) -> list[dict[str, Any]]:
    return [{**layer.get_config(), "name": ""} for layer in model.layers]


def test_scripts_of_other_recipes_differ_only_in_the_network_which_is_that_of_the_run(
    keras: Any, tmp_path: Path
) -> None:
    """Its initial weights are those of the run, bit for bit."""
    trained = (*TRAINED_RECIPES, *VARIANTS)
    lines = set().union(*(parts_of_script(small_run(name, tmp_path))[2] for name in trained))
    for name in RECIPES:
        run = small_run(name, tmp_path)
        imports, network, others = parts_of_script(run)
        assert others <= lines, (name, others - lines)
        names = {"keras": keras, "SEED": 5}
        exec(f"{imports}\n{network}", names)
        found, expected = names["model"], make_model(run.spec().settings, 5)
        assert layer_configs(found) == layer_configs(expected), name
        for weights, expected_weights in zip(found.get_weights(), expected.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, expected_weights, err_msg=name)


def test_scripts_follow_pep_8_and_those_of_recipes_are_short(tmp_path: Path) -> None:
    for name in RECIPES:
        text = keras_script.script_source(create_run(make_spec(name)))
        assert len([line for line in text.splitlines() if line.strip()]) < MAX_LINES, name
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(text, encoding="utf-8")
    for name in VARIANTS:
        text = keras_script.script_source(small_run(name, tmp_path / "mnist.npz"))
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(text, encoding="utf-8")
    checks = ["--isolated", "--line-length", "79", "--select", "E,F,W,N", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "ruff", "check", *checks], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_split_has_its_lines() -> None:
    assert set(SPLITS) == {
        name for name in SPLITS if keras_script.script_source(create_run(make_spec("fast", {"split": name})))
    }


def test_a_script_imports_three_packages_and_contains_only_what_is_used() -> None:
    text = keras_script.script_source(create_run(make_spec("fleming-cnn")))
    lines = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert {line.split()[1].split(".")[0] for line in lines} == {"sys", "keras", "matplotlib", "numpy"}
    for word in ("augment", "drawings", "uncenter", "EarlyStopping", "Limit", "CosineDecay", "WarmUp", "share"):
        assert word not in text


@pytest.mark.slow
@pytest.mark.parametrize(("size", "count"), [(28, 2000), (56, 500)])
def test_augmentation_in_the_script_computes_the_pixels_of_the_worker(sample: Any, size: int, count: int) -> None:
    """One and a half million pixels: a coordinate that is rounded differently would show in one of them."""
    how = AUGMENTATIONS["hand"]
    assert how is not None
    margin = (size - 28) // 2
    images = np.pad(sample.x_train[:count], ((0, 0), (margin, margin), (margin, margin)))
    names: dict[str, Any] = {"np": np}
    exec(numpy_augment.augment_source(size, how), names)
    expected = augment(images, how, np.random.default_rng([1, 2, 3]))
    assert (expected != images).mean() > 0.05
    np.testing.assert_array_equal(names["augment"](images, [1, 2, 3]), expected)


def test_the_offline_sample_is_exported_with_its_script(sample: Any, tmp_path: Path) -> None:
    files = keras_files.script_files(create_run(make_spec("fast", {}, "sample")))
    assert list(files) == [keras_script.SCRIPT_FILE, keras_files.SAMPLE_FILE]
    (tmp_path / "mnist.npz").write_bytes(files[keras_files.SAMPLE_FILE])
    with np.load(tmp_path / "mnist.npz") as arrays:
        assert set(arrays.files) == {"x_train", "y_train", "x_test", "y_test"}
        np.testing.assert_array_equal(arrays["x_test"], sample.x_test)
    assert list(keras_files.script_files(create_run(make_spec("fast")))) == [keras_script.SCRIPT_FILE]


def test_the_script_mentions_manual_changes_of_the_learning_rate() -> None:
    run = create_run(make_spec("fast"))
    assert "0.02" not in keras_script.script_source(run)
    run.append_metrics({"step": 7, "changed": {"learning_rate": 0.02}})
    assert "0.02 from step 7" in keras_script.script_source(run)


def test_damaged_reports_are_no_changes_of_the_learning_rate() -> None:
    run = create_run(make_spec("fast"))
    source = keras_script.script_source(run)
    for rate, step in (("x", 1), (None, 1), (0.02, None), (0.02, 'a"""\nimport os\n"""')):
        run.append_metrics({"step": step, "changed": {"learning_rate": rate}})
    run.append_metrics({"changed": {"learning_rate": 0.02}})
    assert keras_script.script_source(run) == source


def test_a_fine_tuned_model_has_no_script() -> None:
    spec = replace(make_spec("fast"), base=fine_tune.SHIPPED_MODEL)
    with pytest.raises(RunError, match="from scratch"):
        keras_script.script_source(create_run(spec))


@pytest.mark.slow
def test_exported_drawings_are_those_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's way to make them differs from the worker's."""
    monkeypatch.setitem(mixture.MIXTURES, "some", mixture.Mixture(0, 12, 6))
    monkeypatch.setattr(keras_files, "pen_digits_available", lambda: False)
    run = create_run(make_spec("canvas", {}, "sample", seed=3))
    trained_on = dataset.load_dataset(run.spec(), lambda *_: None, cpu_count()).split
    images, labels = keras_files.drawings_of_run(run)
    np.testing.assert_array_equal(images, trained_on.x_train[-18:])
    np.testing.assert_array_equal(labels, trained_on.y_train[-18:])
