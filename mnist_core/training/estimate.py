"""Estimates validation loss and accuracy within an epoch on some validation images, so that one epoch has a curve.

Estimates only read the weights: a run trains bit for bit as it would without them. They are shown and decide nothing:
neither which weights are kept, nor when a training ends, nor how runs are ranked.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.splits import Split
from mnist_core.evaluation.metrics import evaluate
from mnist_core.training.eta import FORWARD_SHARE
from mnist_core.training.loop import Report
from mnist_core.training.predict import Images, Predictor

ESTIMATE_IMAGES = 1000
"""Validation images of an estimate, the same ones throughout a run. At 98%, its standard error is half a point."""
ESTIMATES_PER_EPOCH = 10
"""Most points of the validation curve in one epoch. The last one is the validation itself."""
BATCH = 250
"""Images predicted at once."""
RECENT = 40
"""The seconds for an image are a median over this many reports, or predicted batches."""
TIME_SHARE = 0.017
"""Share of an epoch's training time that its estimates are planned to take. If ten take more, there are fewer.

A prediction between training steps takes longer than one that follows another: in all, estimates stay below 2%.
"""


class ValidationEstimator:
    """Adds estimates of validation loss and accuracy to the reports of a training.

    Args:
        predict: predicts with the weights that validation uses, the averaged ones if there are any.
        split: the images.
        steps_per_epoch: batches in an epoch.
    """

    def __init__(self, predict: Predictor, split: Split, steps_per_epoch: int) -> None:
        count = len(split.x_validation)
        chosen = np.sort(np.random.default_rng(0).permutation(count)[:ESTIMATE_IMAGES])
        self._images: Images = split.x_validation[chosen]
        self._labels = split.y_validation[chosen]
        self._predict, self._steps_per_epoch, self._epoch_images = predict, steps_per_epoch, len(split.x_train)
        self._reports = 0
        self._train_seconds, self._predict_seconds = (deque[float](maxlen=RECENT) for _ in range(2))
        """Seconds for an image in each of the last reports and predicted batches."""
        self._spent, self._last = 0.0, 0.0
        """In this epoch: seconds spent on estimates, and the share of the epoch before the last one."""

    def add_to(self, report: Report) -> Report:
        """Returns the report with an estimate if one is due, otherwise as it is.

        Call it with every report: their times determine how many estimates fit into TIME_SHARE.
        """
        self._reports += 1
        if self._reports > 1:  # the first report includes the time to build the graph
            self._train_seconds.append(report.seconds / report.images)
        passed = report.step / self._steps_per_epoch % 1
        if not passed:
            self._spent, self._last = 0.0, 0.0  # an epoch ends, with its validation
        if not passed or not self._is_due(passed):
            return report
        self._last = passed
        return self._with_estimate(report)

    def _is_due(self, passed: float) -> bool:
        """Spreads the estimates that still fit evenly over the rest of the epoch. `passed`: share of the epoch.

        The first estimate of a run comes early, to measure its cost.
        """
        if self._reports < 2 or not len(self._labels):
            return False
        train_seconds = median(self._train_seconds)
        predict_seconds = median(self._predict_seconds or [math.inf])
        if not self._spent:  # try one in each epoch: another process may have slowed the last one
            predict_seconds = min(predict_seconds, FORWARD_SHARE * train_seconds)
        cost = predict_seconds * len(self._labels)
        affordable = int((TIME_SHARE * train_seconds * self._epoch_images - self._spent) / cost)
        if affordable < 1:
            return False
        gap = (1 - self._last) / (affordable + 1) if self._predict_seconds else 0.0
        return passed - self._last >= max(gap, 1 / ESTIMATES_PER_EPOCH)

    def _with_estimate(self, report: Report) -> Report:
        began = time.perf_counter()
        probabilities = list[NDArray[np.float32]]()
        for start in range(0, len(self._images), BATCH):
            batch_began = time.perf_counter()
            probabilities.append(self._predict(self._images[start : start + BATCH]))
            self._predict_seconds.append((time.perf_counter() - batch_began) / len(probabilities[-1]))
        predicted = np.concatenate(probabilities)
        # If not, the training diverges, which its next report or validation shows.
        is_usable = np.isfinite(predicted).all()
        scores = evaluate(predicted, self._labels) if is_usable else None
        seconds = time.perf_counter() - began
        # Not `seconds`, which may include building a graph that validation needs anyway, or waiting for another
        # process.
        self._spent += median(self._predict_seconds) * len(self._images)
        return replace(
            report,
            estimated_val_loss=scores.loss if scores else None,
            estimated_val_accuracy=scores.accuracy if scores else None,
            estimate_seconds=seconds,
        )
