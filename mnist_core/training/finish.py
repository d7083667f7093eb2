"""Ends a training: tests, saves and converts the model, and writes the model card last."""

from __future__ import annotations

import contextlib
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.browser.model_files import read_browser_model
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.labels import correct_mask
from mnist_core.errors import ModelError
from mnist_core.evaluation.metrics import Evaluation, evaluate
from mnist_core.evaluation.pen_accuracy import accuracy_by_condition
from mnist_core.files.write import create_file, replacing
from mnist_core.handwriting import mixture
from mnist_core.models import convert
from mnist_core.models.classifier import Classifier
from mnist_core.networks.keras_model import build_model
from mnist_core.runs.comparison import live_changes
from mnist_core.runs.run import Run, sweep_mark
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status
from mnist_core.training import fine_tune
from mnist_core.training.dataset import Dataset
from mnist_core.training.predict import predict
from mnist_core.training.weights import adjust_class_prior, averaged_weights

AGREEMENT_IMAGES = 1000
"""Images on which the Keras model and the converted one are compared."""
MAX_DIFFERENCE = 1e-3
"""Largest accepted difference of a probability. Summing in another order gives about 1e-6."""


def finish_run(run: Run, status: Status, spec: RunSpec, model: Any, dataset: Dataset, processes: int = 1) -> Evaluation:
    """Tests, saves and converts the Keras model, checks that both models agree, and writes the card.

    Every model is scored on the validation images: a training that ended within an epoch has no report about it. A
    sweep looks at the test images once, for its best model (`sweeps/final_test.py`), so the models of its runs are
    not tested.

    Args:
        run: whose files are written.
        status: at the end of the training.
        spec: what was trained.
        model: the Keras model.
        dataset: what it was trained on, and what it is tested with.
        processes: how many may draw pen digits at once.

    Returns:
        The evaluation on the test images; for the run of a sweep, on the validation images.

    Raises:
        TrainingError: the model predicts NaN.
        ModelError: the converted model disagrees with the Keras model; model.keras is written all the same.
    """
    split, trained = dataset.split, _network_to_keep(model, spec, dataset.non_digit_share)
    in_sweep = bool(sweep_mark(run))
    images, probabilities = split.x_validation, predict(trained, split.x_validation)
    evaluation = evaluate(probabilities, split.y_validation)
    scores = {"val_accuracy": evaluation.accuracy, "val_loss": evaluation.loss}
    if not in_sweep:
        if split.x_test is not images:  # some recipes validate on the test images
            evaluation = evaluate(predict(trained, split.x_test), split.y_test)
        scores |= evaluation.test_scores()
    with replacing(run.path / "model.keras") as temporary:
        trained.save(temporary)
    with contextlib.suppress(ModelError):  # the network is too large for a browser
        read_browser_model(run.path)
    content = convert.convert(trained, spec.settings.architecture)
    agreement = save_converted_model(run.model, content, images[:AGREEMENT_IMAGES], probabilities[:AGREEMENT_IMAGES])
    pens, accuracy = dataset.pens, {}
    if pens.measure and not in_sweep:
        accuracy = accuracy_by_condition(Classifier(run.model), pens.measure, processes)
    run.write_card({**_card(run, status, spec, dataset, agreement), **scores, "pen": pens.to_json(accuracy)})
    return evaluation


def _network_to_keep(model: Any, spec: RunSpec, non_digit_share: float) -> Any:
    """Copies the network with its averaged weights, and expects as many non-digits as on a canvas.

    The copy has no optimizer, which would take twice the space of the weights.

    Args:
        model: the Keras model.
        spec: what was trained.
        non_digit_share: of the training images, 0..1.
    """
    copy = build_model(spec.settings.architecture)
    with averaged_weights(model):
        copy.set_weights(model.get_weights())
    if non_digit_share:
        layers = spec.settings.layers
        adjust_class_prior(copy, layers, NOT_A_DIGIT, non_digit_share, mixture.ASSUMED_NON_DIGIT_SHARE)
    return copy


def save_converted_model(
    path: Path, content: bytes, images: NDArray[np.uint8], expected: NDArray[np.float32]
) -> dict[str, float]:
    """Writes a converted model if its predictions agree with those of the Keras model.

    Args:
        path: of the model.tflite.
        content: the converted model.
        images: (N, 28, 28) or (N, size, size) uint8 to compare both models on.
        expected: (N, C) float32, probabilities of the Keras model.

    Returns:
        `litert` of the card: `max_difference` of a probability, `agreement` of the predicted classes (0..1), and the
        number of `images`.

    Raises:
        ModelError: a probability differs by more than MAX_DIFFERENCE; the file at `path` stays as it was.
    """
    with replacing(path) as temporary:
        with create_file(temporary) as file:
            file.write(content)
        converted = Classifier(temporary).probabilities(images)
        difference = float(np.abs(converted - expected).max())
        agreement = float((converted.argmax(1) == expected.argmax(1)).mean())
        if not difference <= MAX_DIFFERENCE:
            raise ModelError(
                f"A probability of the converted model differs from the Keras model's by {difference:.2g} "
                f"(at most {MAX_DIFFERENCE:g} is allowed), so the converted model was not saved. model.keras is intact."
            )
    return {"max_difference": difference, "agreement": agreement, "images": len(images)}


def _card(run: Run, status: Status, spec: RunSpec, dataset: Dataset, agreement: dict[str, float]) -> dict[str, Any]:
    packages = ("tensorflow", "keras", "ai-edge-litert", "numpy")
    mnist = dataset.mnist
    return {
        **spec.to_json(),
        "data": {"asked": spec.data, "name": mnist.name, "source": mnist.source, "sha256": mnist.sha256},
        "parameters": spec.settings.architecture.parameters,
        "input_size": spec.settings.architecture.input_size,
        "epochs_trained": status.epochs_trained,
        "changed_while_training": live_changes(run.metrics().rows),
        "train_seconds": status.train_seconds,
        "images_per_second": status.images_per_second,
        "litert": agreement,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "date": time.strftime("%Y-%m-%d"),
        "taught": _fine_tuning(spec.base, run.model, dataset) if dataset.corrections else {},
    }


def _fine_tuning(base: str, after: Path, dataset: Dataset) -> dict[str, Any]:
    """Compares a model before and after fine-tuning, on the corrections and on MNIST's test images.

    Args:
        base: the model before.
        after: the converted model after.
        dataset: with the corrections.
    """
    before = Classifier(fine_tune.model_folder(base) / "model.tflite", threads=2)
    images, labels = fine_tune.corrections_to_arrays(dataset.corrections)
    right = [int(correct_mask(model.probabilities(images), labels).sum()) for model in (before, Classifier(after))]
    return {
        "base": base,
        "drawings": len(labels),
        "right_before": right[0],
        "right_after": right[1],
        "test_accuracy_before": _test_accuracy(fine_tune.base_card(base), before, dataset),
    }


def _test_accuracy(card: dict[str, Any], model: Classifier, dataset: Dataset) -> float:
    """The accuracy in the card if it was measured on the same images, else measured now."""
    data, accuracy = card.get("data"), card.get("test_accuracy")
    if isinstance(data, dict) and data.get("sha256") == dataset.mnist.sha256 and isinstance(accuracy, float):
        return accuracy
    split = dataset.split
    return float(correct_mask(model.probabilities(split.x_test), split.y_test).mean())
