"""Makes the files of the shipped model from weights that train.py wrote: model.keras, model.tflite and card.json.

    python benchmarks/shipped/install.py OUT [FOLDER]

OUT is the folder that train.py wrote to. This needs TensorFlow, but no GPU. FOLDER is mnist_core/models/default by
default. An int8 variant of the model is written to OUT, for measure.py only. Run browser.py next, to complete the card.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from networks import NETWORKS

from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data.mnist import load_mnist
from mnist_core.evaluation.metrics import evaluate
from mnist_core.evaluation.pen_accuracy import accuracy_by_condition
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.handwriting.pen_digits import load_pen_digits, split_writers
from mnist_core.models import convert
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.networks.architecture import Architecture, layers_to_json
from mnist_core.networks.keras_model import build_model
from mnist_core.processes import cpu_count
from mnist_core.runs.spec import RunSpec, make_spec
from mnist_core.training.dataset import PenSplit
from mnist_core.training.finish import AGREEMENT_IMAGES, save_converted_model
from mnist_core.training.predict import predict
from mnist_core.training.weights import adjust_class_prior

LAYERS = NETWORKS["pooled-light"]
TRAINED_NON_DIGIT_SHARE = 0.105
"""Share of non-digits in the last third of the training: train.STUDENT.late_non_digit_share."""
ASSUMED_NON_DIGIT_SHARE = 0.066
"""Share that the finished model assumes. It moves the eleventh logit by -0.5: as many letters as possible are rejected
while, on the validation split, fewer than 0.1% of MNIST's digits and of the pen digits are."""
IMAGES_PER_EPOCH = 210_000
"""Of the pool of train.py; an epoch of the card."""
STEPS, BATCH = 18_000, 512


def keras_model(weights: Path) -> Any:
    """Returns the Keras model with the trained weights and the assumed share of non-digits."""
    model = build_model(Architecture(LAYERS))
    with np.load(weights) as arrays:
        model.set_weights([arrays[f"arr_{number}"] for number in range(len(arrays.files))])
    adjust_class_prior(model, LAYERS, NOT_A_DIGIT, TRAINED_NON_DIGIT_SHARE, ASSUMED_NON_DIGIT_SHARE)
    return model


def int8_model(model: Any, images: np.ndarray) -> bytes:
    """Returns the model with weights and values in int8, calibrated on images; it still takes and returns floats."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None, ..., None].astype(np.float32)] for image in images)
    return bytes(converter.convert())


def recipe_spec() -> RunSpec:
    """What comes closest in Digit Lab to how the model was trained."""
    overrides = {
        "layers": layers_to_json(LAYERS),
        "batch_size": BATCH,
        "epochs": round(STEPS * BATCH / IMAGES_PER_EPOCH),
        "optimizer": "AdamW",
        "learning_rate": 0.004,
        "weight_decay": 0.02,
        "weight_averaging": 0.999,
    }
    return make_spec("best", overrides)


def main(trained: Path, folder: Path) -> None:
    """Ships the first student, however good the others are: writes the three files; the int8 variant to `trained`."""
    mnist, training = load_mnist(), read_json(trained / "training.json")
    model, *others = (keras_model(weights) for weights in sorted(trained.glob("student-*.npz")))
    architecture = Architecture(LAYERS)
    model.save(folder / "model.keras")
    probabilities = predict(model, mnist.x_test)
    agreement = save_converted_model(
        folder / "model.tflite",
        convert.convert(model, architecture),
        mnist.x_test[:AGREEMENT_IMAGES],
        probabilities[:AGREEMENT_IMAGES],
    )
    (trained / "int8.tflite").write_bytes(int8_model(model, mnist.x_train[:500]))
    test = evaluate(probabilities, mnist.y_test)
    other_tests = [evaluate(predict(other, mnist.x_test), mnist.y_test) for other in others]
    pens = PenSplit(*split_writers(load_pen_digits()))
    accuracy = accuracy_by_condition(Classifier(folder / "model.tflite", cpu_count()), pens.measure, cpu_count())
    packages = ("tensorflow", "keras", "ai-edge-litert", "numpy")
    card = {
        **recipe_spec().to_json(),
        "data": {"asked": "full", "name": mnist.name, "source": mnist.source, "sha256": mnist.sha256},
        "parameters": architecture.parameters,
        "input_size": architecture.input_size,
        "epochs_trained": STEPS * BATCH / IMAGES_PER_EPOCH,
        "test_accuracy": test.accuracy,
        "test_loss": test.loss,
        "test": test.to_json(),
        "train_seconds": training["seconds"],
        "images_per_second": (1 + len(others)) * STEPS * BATCH / training["seconds"],
        "litert": agreement,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "date": time.strftime("%Y-%m-%d"),
        "taught": {},
        "distilled": {
            "command": "benchmarks/shipped/train.py final",
            "device": training["device"],
            "teachers": 4,
            "trainings": {"test_accuracies": [each.accuracy for each in (test, *other_tests)], "shipped": "the first"},
            "assumed_non_digit_share": ASSUMED_NON_DIGIT_SHARE,
        },
        "pen": pens.to_json(accuracy),
    }
    write_json(folder / "card.json", card)
    print(json.dumps({"accuracy": test.accuracy, "pen": accuracy, "litert": agreement}, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else DEFAULT_MODEL.parent)
