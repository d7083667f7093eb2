"""The training loop: settings, images and a seed in, reports out. Only functions that are called import TensorFlow.

The loop runs many batches inside one TensorFlow call, as many as fit between two reports, while the next ones are
drawn and augmented in a thread. What is computed depends on settings, images and seed alone, never on the grouping.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.mnist import Split
from mnist_core.errors import TrainingError
from mnist_core.evaluation.metrics import Evaluation, evaluate
from mnist_core.recipes.schedules import learning_rates
from mnist_core.recipes.settings import Settings
from mnist_core.training import fused_updates
from mnist_core.training.batches import Batches, check_batch_size, steps_per_epoch
from mnist_core.training.model import make_loss
from mnist_core.training.predict import predict
from mnist_core.training.weights import averaged_weights

REPORT_SECONDS = 0.4


@dataclass(frozen=True)
class Report:
    """What a stretch of training did.

    Attributes:
        step: batches trained since the beginning.
        epoch: 0 in the first epoch; counted up when one is finished.
        loss, accuracy: mean over the images of this stretch, with dropout and augmentation as trained.
        learning_rate: of its last batch.
        images: how many it trained on.
        seconds: how long that took.
        val_loss, val_accuracy: of the validation images, at an epoch's end only.
        val_seconds: how long it took to find these out.
    """

    step: int
    epoch: int
    loss: float
    accuracy: float
    learning_rate: float
    images: int
    seconds: float
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_seconds: float = 0.0


@dataclass
class LiveControls:
    """What may be changed while a training runs, between two of its reports.

    Attributes:
        learning_rate: the peak; the schedule's shape stays.
        epochs: how many in all. A schedule is stretched over them from here on.
        batches: how many to train until the next report; None for as many as fit between two.
    """

    learning_rate: float
    epochs: int
    batches: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> LiveControls:
        """As the settings say."""
        return cls(settings.learning_rate, settings.epochs)

    def rates(self, settings: Settings, per_epoch: int) -> NDArray[np.float32]:
        """(steps,) float32: the learning rate of each step of the whole training, as it is steered now."""
        steered = replace(settings, learning_rate=self.learning_rate, epochs=self.epochs)
        return learning_rates(steered, per_epoch * self.epochs)


def train(
    model: Any, settings: Settings, split: Split, seed: int, steering: LiveControls | None = None, begin: int = 0
) -> Iterator[Report]:
    """Trains the model, and yields a report about twice a second. Whoever stops asking stops the training.

    Args:
        model: what `make_model` made.
        settings: how to train it.
        split: the images, (N, size, size) uint8.
        seed: of the order of the images and their augmentation.
        steering: what may be changed between two reports; by default as the settings say.
        begin: finished epochs, where a training is taken up again.

    Raises:
        SettingError: where a batch is larger than the training images.
        TrainingError: where the loss is no longer a number.
    """
    check_batch_size(settings, len(split.x_train))
    steering = steering or LiveControls.of(settings)
    run, pace, epoch = compile_training_steps(model, settings), _Pace(), begin
    while epoch < steering.epochs:
        yield from _train_epoch(run, model, settings, split, seed, steering, pace, epoch)
        epoch += 1


def _train_epoch(
    run: Callable[..., Any],
    model: Any,
    settings: Settings,
    split: Split,
    seed: int,
    steering: LiveControls,
    pace: _Pace,
    epoch: int,
) -> Iterator[Report]:
    per_epoch = steps_per_epoch(len(split.x_train), settings)
    tally, done, before = _Tally(), 0, epoch * per_epoch
    with Batches(split, settings, seed, epoch) as batches:
        while done < per_epoch:
            images, labels = batches.take(steering.batches or pace.steps)
            rates = steering.rates(settings, per_epoch)[before + done :][: len(labels)]
            began = time.perf_counter()
            losses, hits = (np.asarray(value) for value in run(images, labels, rates))
            seconds = time.perf_counter() - began
            pace.note(len(losses), seconds)
            _check_finite(losses, before + done, settings)
            done += len(losses)
            tally.add(losses, hits, labels.shape[1], seconds)
            left = per_epoch - done
            if left == 1:
                continue  # the last batch may be very small: reported alone, it would be a spike in the curve
            trained = time.perf_counter()
            scores = _validate(model, split) if left == 0 else None
            report = tally.report(before + done, epoch + (left == 0), float(rates[-1]), scores)
            yield replace(report, val_seconds=time.perf_counter() - trained) if scores else report
            tally = _Tally()


@dataclass
class _Tally:
    """Sums over the images since the last report."""

    loss: float = 0.0
    hits: float = 0.0
    images: int = 0
    seconds: float = 0.0

    def add(self, losses: NDArray[np.float32], hits: NDArray[np.float32], batch: int, seconds: float) -> None:
        """Counts (K,) mean losses and (K,) hits of batches of `batch` images in."""
        self.loss += float(losses.sum()) * batch
        self.hits += float(hits.sum())
        self.images += len(losses) * batch
        self.seconds += seconds

    def report(self, step: int, epoch: int, learning_rate: float, scores: Evaluation | None) -> Report:
        """The means."""
        return Report(
            step,
            epoch,
            self.loss / self.images,
            self.hits / self.images,
            learning_rate,
            self.images,
            self.seconds,
            scores.loss if scores else None,
            scores.accuracy if scores else None,
        )


class _Pace:
    """How many batches fit between two reports. It begins with one, so that the first point comes at once."""

    def __init__(self) -> None:
        self.steps = 1
        self._warm = False

    def note(self, steps: int, seconds: float) -> None:
        """What the last call took; the first one built the graph and tells nothing."""
        if self._warm:
            fitting = int(REPORT_SECONDS * steps / max(seconds, 1e-6))
            self.steps = max(1, min(fitting, 4 * self.steps))
        self._warm = True


def compile_training_steps(model: Any, settings: Settings) -> Callable[..., Any]:
    """A function that trains on K batches, (K, B, size, size) uint8, and returns (K,) losses and (K,) hits."""
    import tensorflow as tf

    optimizer, loss_function, variables = model.optimizer, make_loss(settings), model.trainable_variables
    one_hot, classes, size = settings.categorical, model.output_shape[-1], model.input_shape[1]

    def step(images: Any, labels: Any, rate: Any) -> tuple[Any, Any]:
        pixels = tf.cast(images, tf.float32)[..., tf.newaxis]  # (B, size, size, 1)
        with tf.GradientTape() as tape:
            probabilities = model(pixels, training=True)  # (B, classes)
            loss = loss_function(tf.one_hot(labels, classes) if one_hot else labels, probabilities)
        fused_updates.apply(optimizer, rate, tape.gradient(loss, variables), variables)
        hits = tf.equal(tf.argmax(probabilities, 1, tf.int32), labels)
        return loss, tf.reduce_sum(tf.cast(hits, tf.float32))

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[
            tf.TensorSpec([None, None, size, size], tf.uint8),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.float32),
        ]
    )
    def run(images: Any, labels: Any, rates: Any) -> tuple[Any, Any]:
        count = tf.shape(rates)[0]
        losses = tf.TensorArray(tf.float32, count, element_shape=[])
        hits = tf.TensorArray(tf.float32, count, element_shape=[])
        for index in tf.range(count):
            loss, hit = step(images[index], labels[index], rates[index])
            losses, hits = losses.write(index, loss), hits.write(index, hit)
        return losses.stack(), hits.stack()

    return run  # type: ignore[no-any-return]


def _check_finite(losses: NDArray[np.float32], step: int, settings: Settings) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        raise TrainingError(
            f"The loss became {losses[bad[0]]} at step {step + int(bad[0]) + 1:,}: the weights have run away. "
            f"Try a smaller learning rate (it was {settings.learning_rate:g}; a tenth of it often works), "
            "a larger batch, or Adam."
        )


def _validate(model: Any, split: Split) -> Evaluation:
    with averaged_weights(model):
        return evaluate(predict(model, split.x_validation), split.y_validation)
