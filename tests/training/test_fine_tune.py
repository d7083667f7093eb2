"""Fine-tuning: corrections are learned, and little else is forgotten."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core import worker
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.mnist import load_mnist
from mnist_core.data.splits import Split
from mnist_core.errors import DigitLabError, ModelError, RunNotFoundError, SettingError
from mnist_core.handwriting.corrections import Correction, save_correction
from mnist_core.models.classifier import Classifier
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.runs.store import create_run
from mnist_core.training import fine_tune
from mnist_core.training.model import make_model
from mnist_core.training.predict import predict
from tests.support import Trained


@pytest.fixture
def base(trained: Trained, runs_root: Path) -> Run:
    """A finished run of the offline sample among the visitor's."""
    shutil.copytree(trained.run.path, runs_root / trained.run.id)
    return Run(runs_root / trained.run.id)


def misread(model: Classifier, count: int) -> list[Correction]:
    """Digits of the sample that the model reads as something else, kept as people keep them."""
    sample = load_mnist("sample")
    images, labels = sample.x_train[:1500], sample.y_train[:1500]
    read = model.digit_probabilities(images).argmax(1)
    wrong = np.flatnonzero(read != labels)[:count]
    assert len(wrong) == count
    return [save_correction(images[i], int(labels[i]), int(read[i])) for i in wrong]


@pytest.mark.usefixtures("keras", "signals")
def test_corrections_are_learned_and_the_card_compares_before_and_after(base: Run) -> None:
    saved = misread(Classifier(base.model), 3)
    save_correction(np.zeros((28, 28), np.uint8), NOT_A_DIGIT, 8)  # this network has no output for it
    run = create_run(fine_tune.make_fine_tune_spec(base.id))
    assert worker.main([str(run.path)]) == 0, run.status().message
    taught = run.card()["taught"]
    assert (taught["base"], taught["drawings"], taught["right_before"]) == (base.id, 3, 0)
    assert taught["test_accuracy_before"] == base.card()["test_accuracy"]
    images, labels = fine_tune.corrections_to_arrays(saved)
    right = int((Classifier(run.model).digit_probabilities(images).argmax(1) == labels).sum())
    assert right == taught["right_after"] >= 2
    assert run.card()["test_accuracy"] > base.card()["test_accuracy"] - 0.05
    assert "3 corrections" in run.status().data
    assert run.spec().base == base.id


@pytest.mark.usefixtures("keras", "signals")
def test_without_corrections_it_fails(base: Run) -> None:
    run = create_run(fine_tune.make_fine_tune_spec(base.id))
    assert worker.main([str(run.path)]) == 1
    assert "no corrections" in run.status().message


@pytest.mark.usefixtures("keras", "signals")
def test_a_broken_base_model_fails_and_names_the_file(base: Run) -> None:
    misread(Classifier(base.model), 1)
    run = create_run(fine_tune.make_fine_tune_spec(base.id))
    (base.path / "model.keras").write_bytes(b"not a model")
    assert worker.main([str(run.path)]) == 1
    assert "model.keras cannot be used" in run.status().message


def test_training_starts_with_the_weights_of_the_base(base: Run, keras: Any) -> None:
    model = make_model(base.spec().settings, seed=99)
    fine_tune.load_base_weights(model, base.spec().settings.architecture, base.id, non_digit_share=0.0)
    images = load_mnist("sample").x_test[:50]
    assert np.allclose(predict(model, images), Classifier(base.model).probabilities(images), atol=1e-4)


def test_the_shipped_model_can_be_fine_tuned(keras: Any) -> None:
    """Its weights for training are stored next to the converted model and predict the same."""
    from mnist_core.models.classifier import DEFAULT_MODEL

    spec = fine_tune.make_fine_tune_spec(fine_tune.SHIPPED_MODEL)
    assert spec.base == fine_tune.SHIPPED_MODEL and spec.settings.epochs == 1
    model = make_model(spec.settings, seed=1)
    fine_tune.load_base_weights(model, spec.settings.architecture, fine_tune.SHIPPED_MODEL, non_digit_share=0.0)
    images = load_mnist("sample").x_test[:50]
    assert np.allclose(predict(model, images), Classifier(DEFAULT_MODEL).probabilities(images), atol=1e-4)


def test_the_spec_has_one_epoch_and_the_network_of_the_base(base: Run) -> None:
    spec = fine_tune.make_fine_tune_spec(base.id, seed=5)
    assert spec.settings.layers == base.spec().settings.layers
    assert (spec.settings.epochs, spec.seed, spec.data) == (1, 5, "sample")
    assert spec.overrides["learning_rate"] == spec.settings.learning_rate
    assert RunSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(("base", "error"), [("../x", RunNotFoundError), ("20260101-000000-a-b", RunNotFoundError)])
def test_an_unknown_base_is_an_error(base: str, error: type[DigitLabError]) -> None:
    with pytest.raises(error):
        fine_tune.make_fine_tune_spec(base)


def test_a_run_without_a_model_is_an_error() -> None:
    with pytest.raises(ModelError, match="has no model"):
        fine_tune.make_fine_tune_spec(create_run(make_spec("fast", data="sample")).id)


def test_a_model_for_larger_fields_is_refused(base: Run) -> None:
    card = base.card()
    card["settings"] = {**card["settings"], "uncentered": True}
    base.write_card(card)
    with pytest.raises(SettingError, match="56×56"):
        fine_tune.make_fine_tune_spec(base.id)


def test_a_broken_card_is_an_error(base: Run) -> None:
    base.write_card({"test_accuracy": 1.0})
    with pytest.raises(ModelError, match="cannot be read"):
        fine_tune.make_fine_tune_spec(base.id)


def split_of(count: int) -> Split:
    images = np.arange(count, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    labels = np.arange(count, dtype=np.uint8) % 10
    return Split(images, labels, images[:1], labels[:1], images[:1], labels[:1])


def corrections(labels: Sequence[int]) -> list[Correction]:
    image = np.full((28, 28), 255, np.uint8)
    return [Correction("x", label, image, (), 0.0, 0) for label in labels]


@pytest.mark.parametrize("count", [1, 7, 40])
def test_corrections_are_a_fixed_share_of_the_training_images(count: int) -> None:
    mixed = fine_tune.add_corrections(split_of(200), corrections([3] * count))
    share = (mixed.x_train == 255).all(axis=(1, 2)).mean()
    assert share == pytest.approx(fine_tune.CORRECTION_SHARE, abs=0.06)
    assert (mixed.y_train[200:] == 3).all()


def test_many_corrections_are_all_used_once() -> None:
    mixed = fine_tune.add_corrections(split_of(20), corrections(list(range(10)) * 10))
    assert len(mixed.x_train) == 120


def test_rehearsal_images_are_a_random_part_without_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tune, "REHEARSAL_IMAGES", 50)
    first, again, other = (fine_tune.rehearsal_split(split_of(200), seed) for seed in (1, 1, 2))
    assert len(first.x_train) == len(np.unique(first.x_train[:, 0, 0])) == 50
    assert (first.y_train == first.x_train[:, 0, 0] % 10).all()
    assert (first.x_train == again.x_train).all() and (first.x_train != other.x_train).any()


def test_corrections_without_an_output_are_left_out() -> None:
    assert [drawing.label for drawing in fine_tune.learnable_corrections(corrections([1, 10, 9]), 10)] == [1, 9]
    assert len(fine_tune.learnable_corrections(corrections([1, 10, 9]), 11)) == 3


def test_specs_of_older_versions_have_no_base(base: Run) -> None:
    value = replace(base.spec(), base="default").to_json()
    assert RunSpec.from_json(value).base == "default"
    del value["base"]  # as runs of older versions
    assert RunSpec.from_json(value).base == ""
