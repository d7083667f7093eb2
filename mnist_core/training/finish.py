"""The end of a training: the model is tested, saved and converted, and its card is written last."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.errors import ModelError
from mnist_core.evaluation.metrics import Evaluation, evaluate
from mnist_core.evaluation.pen_accuracy import accuracy_by_condition
from mnist_core.files import replacing
from mnist_core.handwriting import mixture
from mnist_core.models import convert
from mnist_core.models.classifier import Classifier
from mnist_core.networks.keras_model import build_model
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.status import Status
from mnist_core.training import fine_tune
from mnist_core.training.dataset import Dataset
from mnist_core.training.predict import predict
from mnist_core.training.weights import adjust_class_prior, averaged_weights

AGREEMENT_IMAGES = 1000
MAX_DIFFERENCE = 1e-3  # of a probability, between Keras and the converted model; summing in another order makes 1e-6


def finish_run(
    run: Run, status: Status, spec: RunSpec, model: Any, materials: Dataset, processes: int = 1
) -> Evaluation:
    """Tests, saves and converts the Keras model, compares both, and writes the card.

    Args:
        run: whose files are written.
        status: how its training ended.
        spec: what was trained.
        model: the Keras model.
        materials: what it was trained on, and what it is tested with.
        processes: how many may draw at once.

    Returns:
        The figures on the test images.

    Raises:
        TrainingError: its answers are no numbers.
        ModelError: the converted model says something else; model.keras is written.
    """
    split = materials.split
    with averaged_weights(model):
        trained = _bare(model, spec)
    if materials.non_digits:
        share = mixture.ASSUMED_NON_DIGIT_SHARE
        adjust_class_prior(trained, NOT_A_DIGIT, materials.non_digits, share)
    probabilities = predict(trained, split.x_test)
    test = evaluate(probabilities, split.y_test)
    with replacing(run.path / "model.keras") as temporary:
        trained.save(temporary)
    content = convert.convert(trained, spec.settings.architecture)
    agreement = save_converted_model(
        run.model, content, split.x_test[:AGREEMENT_IMAGES], probabilities[:AGREEMENT_IMAGES]
    )
    pens = materials.pens
    read = accuracy_by_condition(Classifier(run.model), pens.measure, processes) if pens.measure else {}
    run.write_card({**_card(run, status, spec, materials, test, agreement), "pen": pens.to_json(read)})
    return test


def _bare(model: Any, spec: RunSpec) -> Any:
    """A copy of the network without its optimizer, which takes twice the room of the weights."""
    copy = build_model(spec.settings.architecture)
    copy.set_weights(model.get_weights())
    return copy


def save_converted_model(
    path: Path, content: bytes, images: NDArray[np.uint8], expected: NDArray[np.float32]
) -> dict[str, float]:
    """Writes a converted model, once it is known to say what the Keras model says.

    Args:
        path: of the model.tflite.
        content: as conversion.convert gives it.
        images: (N, 28, 28) or (N, size, size) uint8 to compare both on.
        expected: (N, C) float32, what the Keras model says.

    Returns:
        What the card tells of it.

    Raises:
        ModelError: it says something else; what lay at `path` is as it was.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        found = Classifier(temporary).probabilities(images)
        difference = float(np.abs(found - expected).max())
        agreement = float((found.argmax(1) == expected.argmax(1)).mean())
        if not difference <= MAX_DIFFERENCE:
            raise ModelError(
                f"The converted model differs from the trained one by {difference:.2g} in a probability "
                f"(at most {MAX_DIFFERENCE:g} is expected); it was not kept. model.keras is whole."
            )
    return {"max_difference": difference, "agreement": agreement, "images": len(images)}


def _card(
    run: Run, status: Status, spec: RunSpec, materials: Dataset, test: Evaluation, agreement: dict[str, float]
) -> dict[str, Any]:
    packages = ("tensorflow", "keras", "ai-edge-litert", "numpy")
    mnist = materials.mnist
    taught = _taught(spec.base, run.model, materials) if materials.kept else {}
    return {
        **spec.to_json(),
        "data": {"asked": spec.data, "name": mnist.name, "source": mnist.source, "sha256": mnist.sha256},
        "parameters": spec.settings.architecture.parameters,
        "input_size": spec.settings.architecture.input_size,
        "epochs_trained": status.step / max(status.steps, 1) * spec.settings.epochs,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "test": test.to_json(),
        "train_seconds": status.train_seconds,
        "images_per_second": status.images_per_second,
        "litert": agreement,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "date": time.strftime("%Y-%m-%d"),
        "taught": taught,
    }


def _taught(base: str, after: Path, materials: Dataset) -> dict[str, Any]:
    """What a lesson changed: the kept drawings and MNIST's test images, before and after.

    Args:
        base: the model that was taught.
        after: the converted model that came of it.
        materials: what it was taught with.
    """
    before = Classifier(fine_tune.model_folder(base) / "model.tflite", 2)
    images, labels = fine_tune.corrections_to_arrays(materials.kept)
    right = [int((model.probabilities(images).argmax(axis=1) == labels).sum()) for model in (before, Classifier(after))]
    return {
        "base": base,
        "drawings": len(labels),
        "right_before": right[0],
        "right_after": right[1],
        "test_accuracy_before": _test_accuracy(fine_tune.base_card(base), before, materials),
    }


def _test_accuracy(card: dict[str, Any], model: Classifier, materials: Dataset) -> float:
    """From its card, where it was tested on these very images."""
    data, accuracy = card.get("data"), card.get("test_accuracy")
    if isinstance(data, dict) and data.get("sha256") == materials.mnist.sha256 and isinstance(accuracy, float):
        return accuracy
    split = materials.split
    return float((model.probabilities(split.x_test).argmax(axis=1) == split.y_test).mean())
