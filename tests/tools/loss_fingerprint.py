"""Prints every loss of a short training, bit for bit: `python -m tests.tools.loss_fingerprint [RECIPE ...]`.

Run it before and after a change that must not alter training, and compare the two outputs with `diff`. Each recipe
trains one epoch on the offline sample with seed 0, on one thread and with a fixed number of batches per report, so the
output depends on neither the machine's load nor its number of cores. All recipes together take several minutes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace

os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

from mnist_core.evaluation.metrics import evaluate
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.spec import RunSpec
from mnist_core.training import dataset, loop
from mnist_core.training.model import make_model
from mnist_core.training.predict import predict

BATCHES_PER_REPORT = 7


def fingerprint(recipe: str) -> Iterator[tuple[str, object]]:
    """Names and values of one recipe's line; floats as hexadecimal digits, which lose nothing."""
    settings = replace(RECIPES[recipe].settings, epochs=1)
    spec = RunSpec(recipe, settings, "sample", 0)
    images = dataset.load_dataset(spec, lambda *_: None, 1)
    model = make_model(settings, 0)
    control = loop.LiveControls(settings.learning_rate, 1, BATCHES_PER_REPORT)
    reports = list(loop.train(model, settings, images.split, 0, control))
    yield "recipe", recipe
    yield "losses", [report.loss.hex() for report in reports]
    yield "validation_loss", (reports[-1].val_loss or 0.0).hex()
    test = evaluate(predict(model, images.split.x_test), images.split.y_test)
    yield "test_loss", test.loss.hex()
    weights = hashlib.sha256()
    for array in model.get_weights():
        weights.update(array.tobytes())
    yield "weights_sha256", weights.hexdigest()


def main(recipes: list[str]) -> None:
    """Prints one JSON line per recipe."""
    for recipe in recipes or RECIPES:
        print(json.dumps(dict(fingerprint(recipe))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
