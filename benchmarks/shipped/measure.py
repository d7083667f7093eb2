"""Measures two models on everything that the shipped model is made for, and compares them.

    python benchmarks/shipped/measure.py OLD.tflite NEW.tflite [NAME.tflite]...

prints a table: MNIST's test images; pen digits by the six held-out people, in the five conditions in which they are
drawn; letters by the four held-out people, but for LIKE_DIGITS; digits of the six with a regional form added; how many
digits are rejected; and calibration errors. McNemar's test compares each model with the first.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from draw import draw_sets
from scores import all_logits, letters_read_as, scores

from mnist_core.data.labels import correct_mask
from mnist_core.data.mnist import load_mnist
from mnist_core.evaluation.significance import format_p_value, mcnemar
from mnist_core.handwriting.letters import HELD_OUT_LETTER_WRITERS
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS, load_pen_digits, split_writers
from mnist_core.models.classifier import Classifier
from mnist_core.processes import cpu_count


def main(paths: list[Path]) -> None:
    """Prints the table."""
    mnist = load_mnist()
    sets = draw_sets(split_writers(load_pen_digits())[1], HELD_OUT_LETTER_WRITERS, cpu_count())
    sets |= {"mnist": mnist.x_test, "mnist labels": mnist.y_test}
    pens = [f"pen/{condition}" for condition in DRAWING_CONDITIONS]
    columns, right = [], []
    for path in paths:
        classifier = Classifier(path, cpu_count())
        began = time.perf_counter()
        found = all_logits(lambda images, c=classifier: np.log(c.probabilities(images) + 1e-12), sets)
        seconds = time.perf_counter() - began
        images = sum(len(values) for values in found.values())
        row = {"megabytes": path.stat().st_size / 1e6, "microseconds per image": 1e6 * seconds / images}
        columns.append(row | scores(found, sets))
        masks = [correct_mask(found[name], sets[f"{name} labels"]) for name in ("mnist", *pens)]
        right.append((masks[0], np.concatenate(masks[1:])))
        print(f"{path}: {letters_read_as(found, sets, 0.0)}")
    for name in columns[0]:
        print(f"{name:28}" + "".join(f"{column[name]:>10.3f}" for column in columns))
    for path, (mnist_right, pen_right) in zip(paths[1:], right[1:], strict=True):
        for what, first, second in (("MNIST", right[0][0], mnist_right), ("pen digits", right[0][1], pen_right)):
            result = mcnemar(first, second)
            counts = f"{result.only_first} only by the first, {result.only_second} only by {path.name}"
            print(f"McNemar, {what}: right {counts}; {format_p_value(result.p_value)}")


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
