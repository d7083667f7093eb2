"""The training loop: settings, images and a seed in, reports out. Only functions that are called import TensorFlow.

The loop runs many batches inside one TensorFlow call, as many as fit between two reports, while the next ones are
drawn and augmented in a thread. What is computed depends on settings, images and seed alone, never on the grouping.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.architecture import build
from mnist_core.augmentation import AUGMENTATIONS, augment
from mnist_core.data import Split
from mnist_core.errors import SettingError, TrainingError
from mnist_core.evaluation import Evaluation, evaluate
from mnist_core.recipes import Settings

REPORT_SECONDS = 0.4
EVALUATION_BATCH = 500
MOMENTUM = 0.9  # of SGD
WARM_UP = 0.2  # share of a one-cycle schedule in which the rate rises
WARM_UP_FROM = 0.04  # of the peak

Images = NDArray[np.uint8]


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


@dataclass(frozen=True)
class _Stretch:
    """K batches of B images: (K, B, size, size) uint8, (K, B) int32, and the rate of each step (K,) float32."""

    images: Images
    labels: NDArray[np.int32]
    rates: NDArray[np.float32]


def steps_per_epoch(images: int, settings: Settings) -> int:
    """Batches in an epoch; the last may be smaller."""
    return -(-images // settings.batch_size)


def learning_rates(settings: Settings, steps: int) -> NDArray[np.float32]:
    """(steps,) float32: the learning rate of each step of the whole training."""
    peak, place = settings.learning_rate, np.arange(steps) / max(steps, 1)
    if settings.schedule == "cosine":
        return (peak * (1 + np.cos(np.pi * place)) / 2).astype(np.float32)
    if settings.schedule == "one-cycle":  # Smith, 2018
        rise = WARM_UP_FROM + (1 - WARM_UP_FROM) * place / WARM_UP
        fall = (1 + np.cos(np.pi * (place - WARM_UP) / (1 - WARM_UP))) / 2
        return (peak * np.where(place < WARM_UP, rise, fall)).astype(np.float32)
    return np.full(steps, peak, np.float32)


def check_fits(settings: Settings, images: int) -> None:
    """Raises SettingError where a batch is larger than the training images."""
    if settings.batch_size > images:
        raise SettingError(
            f"batch_size is {settings.batch_size:,}, but there are only {images:,} training images. "
            f"Choose at most {images:,}."
        )


def make_model(settings: Settings, seed: int) -> Any:
    """The compiled Keras model, its weights drawn from the seed."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build(settings.architecture)
    model.compile(optimizer=_optimizer(settings), loss=_loss(settings), metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    return model


def _optimizer(settings: Settings) -> Any:
    import keras

    own: dict[str, dict[str, float]] = {
        "SGD": {"momentum": MOMENTUM},
        "RMSprop": {},
        "Adam": {"beta_1": settings.beta_1, "beta_2": settings.beta_2},
        "AdamW": {"beta_1": settings.beta_1, "beta_2": settings.beta_2},
    }
    averaging = {"use_ema": True, "ema_momentum": settings.weight_averaging} if settings.weight_averaging else {}
    return getattr(keras.optimizers, settings.optimizer)(settings.learning_rate, **own[settings.optimizer], **averaging)


def _one_hot(settings: Settings) -> bool:
    return settings.one_hot or settings.label_smoothing > 0


def _loss(settings: Settings) -> Any:
    import keras

    if _one_hot(settings):
        return keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy()


def train(model: Any, settings: Settings, split: Split, seed: int) -> Iterator[Report]:
    """Trains the model, and yields a report about twice a second. Whoever stops asking stops the training.

    Args:
        model: what `make_model` made.
        settings: how to train it.
        split: the images, (N, size, size) uint8.
        seed: of the order of the images and their augmentation.

    Raises:
        SettingError: where a batch is larger than the training images.
        TrainingError: where the loss is no longer a number.
    """
    check_fits(settings, len(split.x_train))
    per_epoch = steps_per_epoch(len(split.x_train), settings)
    rates = learning_rates(settings, per_epoch * settings.epochs)
    run, step, pace = _compiled_steps(model, settings), 0, _Pace()
    for epoch in range(settings.epochs):
        tally = _Tally()
        for stretch in _stretches(split, settings, seed, epoch, rates[step : step + per_epoch], pace):
            began = time.perf_counter()
            losses, hits = (np.asarray(value) for value in run(stretch.images, stretch.labels, stretch.rates))
            seconds = time.perf_counter() - began
            pace.note(len(losses), seconds)
            _check_finite(losses, step, settings)
            step += len(losses)
            tally.add(losses, hits, stretch.labels.shape[1], seconds)
            left = (epoch + 1) * per_epoch - step
            if left == 1:
                continue  # the last batch may be very small: reported alone, it would be a spike in the curve
            trained = time.perf_counter()
            scores = _validate(model, split) if left == 0 else None
            report = tally.report(step, epoch + (left == 0), float(stretch.rates[-1]), scores)
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
            step, epoch, self.loss / self.images, self.hits / self.images, learning_rate, self.images, self.seconds,
            scores.loss if scores else None, scores.accuracy if scores else None,
        )  # fmt: skip


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


def _stretches(
    split: Split, settings: Settings, seed: int, epoch: int, rates: NDArray[np.float32], pace: _Pace
) -> Iterator[_Stretch]:
    """The batches of one epoch, a stretch at a time; the next one is drawn while the last one trains."""
    order = np.random.default_rng([seed, epoch]).permutation(len(split.x_train))
    size, whole = settings.batch_size, len(order) // settings.batch_size

    def draw(first: int, last: int) -> _Stretch:
        chosen = [order[batch * size : (batch + 1) * size] for batch in range(first, last)]
        images = [_augmented(split.x_train[of], settings, [seed, epoch, first + i]) for i, of in enumerate(chosen)]
        labels = np.stack([split.y_train[of] for of in chosen]).astype(np.int32)
        return _Stretch(np.stack(images), labels, rates[first:last])

    def bounds(first: int) -> tuple[int, int]:
        return first, max(first + 1, min(first + pace.steps, whole))  # the last, smaller batch goes alone

    with ThreadPoolExecutor(1, "batches") as pool:
        span = bounds(0)
        pending = pool.submit(draw, *span)
        while span[1] < len(rates):
            stretch, span = pending.result(), bounds(span[1])
            pending = pool.submit(draw, *span)
            yield stretch
        yield pending.result()


def _augmented(images: Images, settings: Settings, seed: list[int]) -> Images:
    how = AUGMENTATIONS[settings.augmentation]
    return images if how is None else augment(images, how, np.random.default_rng(seed))


def _compiled_steps(model: Any, settings: Settings) -> Callable[..., Any]:
    """A function that trains on K batches, (K, B, size, size) uint8, and returns (K,) losses and (K,) hits."""
    import tensorflow as tf

    optimizer, loss_function, variables = model.optimizer, _loss(settings), model.trainable_variables
    one_hot, classes, size = _one_hot(settings), model.output_shape[-1], model.input_shape[1]

    def step(images: Any, labels: Any, rate: Any) -> tuple[Any, Any]:
        optimizer.learning_rate.assign(rate)
        pixels = tf.cast(images, tf.float32)[..., tf.newaxis]  # (B, size, size, 1)
        with tf.GradientTape() as tape:
            probabilities = model(pixels, training=True)  # (B, classes)
            loss = loss_function(tf.one_hot(labels, classes) if one_hot else labels, probabilities)
        optimizer.apply(tape.gradient(loss, variables), variables)
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


class averaged_weights:  # noqa: N801 - reads as a statement: `with averaged_weights(model):`
    """While open, the model has the moving average of its weights, where its optimizer keeps one."""

    def __init__(self, model: Any) -> None:
        import keras

        self._swap = keras.callbacks.SwapEMAWeights() if model.optimizer.use_ema else None
        if self._swap is not None:
            self._swap.set_model(model)

    def __enter__(self) -> None:
        if self._swap is not None:
            self._swap.on_test_begin()

    def __exit__(self, *_: object) -> None:
        if self._swap is not None:
            self._swap.on_test_end()


def assume_share(model: Any, output: int, trained: float, assumed: float) -> None:
    """Moves the bias of one output of the softmax from how often its class was trained on to how often it will be met.

    Bayes' rule for another prior (Saerens et al., 2002): the odds of the class change by the ratio of the prior odds.

    Args:
        model: whose last layer is a Dense with softmax.
        output: of which class.
        trained: its share of the training images, 0..1, neither end.
        assumed: its share of what the model will see, likewise.
    """
    kernel, bias = model.layers[-1].get_weights()
    bias[output] += np.log(assumed / (1 - assumed)) - np.log(trained / (1 - trained))
    model.layers[-1].set_weights([kernel, bias])


def predict(model: Any, images: Images) -> NDArray[np.float32]:
    """The Keras model's probabilities, (N, C) float32, for (N, size, size) uint8: cast batch by batch.

    Raises:
        TrainingError: where they are no numbers: the last step can ruin the weights, and no training loss tells.
    """
    run = _compiled_predict(model)
    batches = [images[start : start + EVALUATION_BATCH] for start in range(0, len(images), EVALUATION_BATCH)]
    probabilities = np.concatenate([np.asarray(run(batch)) for batch in batches])
    if not np.isfinite(probabilities).all():
        raise TrainingError(
            "The model's answers are no longer numbers: the weights have run away. "
            "Try a smaller learning rate, a larger batch, or Adam."
        )
    return probabilities


@lru_cache(maxsize=2)
def _compiled_predict(model: Any) -> Any:
    import tensorflow as tf

    size = model.input_shape[1]

    @tf.function(input_signature=[tf.TensorSpec([None, size, size], tf.uint8)])  # type: ignore[untyped-decorator]
    def run(images: Any) -> Any:
        return model(tf.cast(images, tf.float32)[..., tf.newaxis], training=False)

    return run
