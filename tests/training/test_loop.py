"""The loop against Keras's own `fit`, single steps by hand, and that grouping changes nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnist_core.data.splits import Split
from mnist_core.errors import SettingError, TrainingError
from mnist_core.networks.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling2D,
    Rescaling,
    Softmax,
    biased_output,
)
from mnist_core.recipes.recipes import RECIPES
from mnist_core.recipes.schedules import learning_rates
from mnist_core.recipes.settings import Settings
from mnist_core.training import loop
from mnist_core.training.batches import check_batch_size, steps_per_epoch
from mnist_core.training.loop import Report, fit_batches_per_call, train
from mnist_core.training.model import make_model
from mnist_core.training.predict import predict
from mnist_core.training.weights import adjust_class_prior, averaged_weights

DENSE = (Rescaling(1 / 255), Flatten(), Dense(16, "relu"), Dense(10, "softmax"))
CONVOLUTION = (
    Rescaling(1 / 255),
    Conv2D(4, 5, use_bias=False),
    BatchNormalization(),
    MaxPooling2D(4),
    Flatten(),
    Dense(10, "softmax"),
)
RANDOM = (
    Rescaling(1 / 255),
    Conv2D(4, 5, activation="relu"),
    MaxPooling2D(4),
    Flatten(),
    Dropout(0.5),
    Dense(10, "softmax"),
)
SEED = 3


@pytest.fixture(scope="session")
def few(sample: Any) -> Split:
    """300 training, 50 validation, 50 test digits: 4 batches of 64, and one of 44."""
    x, y = sample.x_test, sample.y_test
    return Split(sample.x_train[:300], sample.y_train[:300], x[:50], y[:50], x[50:100], y[50:100])


@pytest.fixture
def one_step_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)


# what is trained


def keras_optimizer(keras: Any, settings: Settings) -> Any:
    rate, betas = settings.learning_rate, {"beta_1": settings.beta_1, "beta_2": settings.beta_2}
    more = {"weight_decay": settings.weight_decay or None, "global_clipnorm": settings.gradient_clipping or None}
    decay = more if settings.weight_decay else {"global_clipnorm": more["global_clipnorm"]}  # AdamW has one of its own
    ahead = {"momentum": settings.momentum, "nesterov": settings.nesterov}
    return {
        "SGD": lambda: keras.optimizers.SGD(rate, **ahead, **more),
        "RMSprop": lambda: keras.optimizers.RMSprop(rate, **more),
        "Adam": lambda: keras.optimizers.Adam(rate, **betas, **more),
        "AdamW": lambda: keras.optimizers.AdamW(rate, **betas, **decay),
    }[settings.optimizer]()


def keras_loss(keras: Any, settings: Settings) -> Any:
    smoothing = {"label_smoothing": settings.label_smoothing}
    return {
        "cross-entropy": lambda: keras.losses.CategoricalCrossentropy(**smoothing),
        "focal": lambda: keras.losses.CategoricalFocalCrossentropy(**smoothing),
        "squared-error": lambda: keras.losses.MeanSquaredError(),
        "hinge": lambda: keras.losses.CategoricalHinge(),
    }[settings.loss]()


def fit(keras: Any, settings: Settings, weights: list[np.ndarray], split: Split) -> tuple[list[dict[str, float]], Any]:
    """Trains with Keras on the same batches: the running means of loss and accuracy after each step, and the model."""
    model = make_model(settings, 0)  # for its layers only
    model.set_weights(weights)
    model.compile(
        keras_optimizer(keras, settings),
        keras_loss(keras, settings),
        metrics=["accuracy"],
    )
    seen: list[dict[str, float]] = []
    rates = iter(learning_rates(settings, 20))  # their formulas have a test of their own
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: model.optimizer.learning_rate.assign(next(rates)),
        on_train_batch_end=lambda batch, logs: seen.append(dict(logs)),
    )
    for epoch in range(settings.epochs):
        order = np.random.default_rng([SEED, epoch]).permutation(len(split.x_train))
        x, y = split.x_train[order][..., None].astype(np.float32), np.eye(10, dtype=np.float32)[split.y_train[order]]
        model.fit(x, y, batch_size=settings.batch_size, shuffle=False, verbose=0, callbacks=[callback])
    return seen, model


@pytest.mark.usefixtures("one_step_a_report")
@pytest.mark.parametrize(
    "settings",
    [
        Settings(DENSE, 64, 4, "SGD", 0.02, "one-cycle"),
        Settings(DENSE, 64, 4, "RMSprop", one_hot=True),
        Settings(DENSE, 64, 4, "AdamW", 0.003, beta_1=0.8, beta_2=0.95, label_smoothing=0.1),
        Settings(CONVOLUTION, 64, 4, "Adam", 0.002, beta_1=0.7),
        Settings(DENSE, 64, 4, "SGD", 0.05, "step", momentum=0.5, nesterov=True, gradient_clipping=0.5),
        Settings(DENSE, 64, 4, "RMSprop", 0.002, "exponential", loss="focal", label_smoothing=0.1, weight_decay=0.1),
        Settings(DENSE, 64, 4, "AdamW", 0.01, "cosine", warm_up=0.2, loss="squared-error", weight_decay=0.1),
        Settings(CONVOLUTION, 64, 4, "Adam", 0.002, loss="hinge", gradient_clipping=0.3),
    ],
    ids=lambda settings: f"{settings.optimizer}-{settings.loss}-{settings.schedule}",
)
def test_training_equals_keras_fit(keras: Any, few: Split, settings: Settings) -> None:
    model = make_model(settings, SEED)
    weights = model.get_weights()
    reports = list(train(model, settings, few, SEED))
    logs, oracle = fit(keras, settings, weights, few)
    assert len(logs) == 20
    assert_running_means(reports, logs, 5)
    for ours, theirs in zip(model.get_weights(), oracle.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert any(not np.allclose(ours, before) for ours, before in zip(model.get_weights(), weights, strict=True))
    assert_validated(reports, oracle, few)


def assert_running_means(reports: list[Report], logs: list[dict[str, float]], per_epoch: int) -> None:
    """Keras logs the mean over the epoch so far; so do our reports, summed up."""
    loss = hits = images = 0.0
    for report in reports:
        if report.images == images == 0 or (report.step - 1) % per_epoch == 0:
            loss = hits = images = 0.0
        loss, hits, images = (
            loss + report.loss * report.images,
            hits + report.accuracy * report.images,
            images + report.images,
        )
        assert loss / images == pytest.approx(logs[report.step - 1]["loss"], abs=1e-4)
        assert hits / images == pytest.approx(logs[report.step - 1]["accuracy"], abs=1e-6)


def assert_validated(reports: list[Report], oracle: Any, split: Split) -> None:
    """Plain cross-entropy, whatever the training loss."""
    probabilities = oracle.predict(split.x_validation[..., None].astype(np.float32), verbose=0)
    assert reports[-1].val_accuracy == (probabilities.argmax(1) == split.y_validation).mean()
    expected = -np.log(probabilities[np.arange(50), split.y_validation]).mean()
    assert reports[-1].val_loss == pytest.approx(expected, abs=1e-3)


def trained_weights(settings: Settings, split: Split) -> tuple[list[np.ndarray], list[Report]]:
    model = make_model(settings, SEED)
    reports = list(train(model, settings, split, SEED))
    return model.get_weights(), reports


@pytest.mark.usefixtures("keras")
def test_the_number_of_batches_per_call_changes_nothing(few: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout, augmentation and a schedule, one batch a call and many give the same weights."""
    settings = Settings(
        RANDOM, 16, 2, learning_rate=0.003, schedule="one-cycle", augmentation="hand", weight_averaging=0.9
    )
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    one_by_one, many_reports = trained_weights(settings, few)
    monkeypatch.setattr(loop, "REPORT_SECONDS", 1e9)
    together, few_reports = trained_weights(settings, few)
    assert len(many_reports) == 2 * 18 and len(few_reports) < 15
    for ours, theirs in zip(one_by_one, together, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert many_reports[-1].val_loss == pytest.approx(few_reports[-1].val_loss, abs=1e-5)


@pytest.mark.usefixtures("keras")
def test_reports_at_given_steps_of_the_first_epoch_change_no_weight(few: Split) -> None:
    settings = Settings(DENSE, 16, 2)
    expected, _ = trained_weights(settings, few)
    model = make_model(settings, SEED)
    steps = [report.step for report in train(model, settings, few, SEED, report_steps=(1, 2, 3, 5, 8))]
    assert {1, 2, 3, 5, 8, 19, 38} <= set(steps)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(model.get_weights(), expected, strict=True))


@pytest.mark.usefixtures("keras")
def test_the_seed_decides_weights_and_order(few: Split) -> None:
    settings = Settings(DENSE, 100, 1)
    first, second, other = (make_model(settings, seed).get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.array_equal(first, other)
    model = make_model(settings, 1)
    by_seed = []
    for seed in (1, 2):
        model.set_weights(make_model(settings, 1).get_weights())
        by_seed.append([report.loss for report in train(model, settings, few, seed)])
    assert by_seed[0] != by_seed[1], "another order of the images"


@pytest.mark.usefixtures("keras")
def test_every_image_is_trained_once_per_epoch_with_its_label(few: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each training image carries its index in a corner, and its label is that index modulo 10."""
    images = np.zeros((300, 28, 28), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(300) % 250, np.arange(300) // 250
    marked = replace(few, x_train=images, y_train=(np.arange(300) % 10).astype(np.uint8))
    seen: list[tuple[int, int]] = []

    def spy(*_: Any) -> Any:
        def run(images: np.ndarray, labels: np.ndarray, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            index = images[..., 0, 0].astype(int) + 250 * images[..., 0, 1]
            seen.extend(zip(index.ravel().tolist(), labels.ravel().tolist(), strict=True))
            return np.ones(len(rates), np.float32), np.ones(len(rates), np.float32)

        return run

    monkeypatch.setattr(loop, "compile_training_steps", spy)
    settings = Settings(DENSE, 64, 2)
    list(train(make_model(settings, 0), settings, marked, 0))
    expected = [(index, index % 10) for index in range(300)]
    assert sorted(seen[:300]) == sorted(seen[300:]) == expected
    assert seen[:300] != seen[300:] != expected, "shuffled again in each epoch"


# single steps


LINEAR = (Rescaling(1 / 255), Flatten(), Dense(10, "softmax"))
PLAIN: dict[str, Any] = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0, "gradient_clipping": 0.0}


def by_hand(settings: Settings, weights: list[np.ndarray], split: Split, steps: int) -> tuple[list[np.ndarray], float]:
    """Softmax regression in double precision on all images at once: the weights after so many steps of SGD, and the
    length of the first gradient."""
    x, targets = split.x_train.reshape(len(split.x_train), -1) / 255, np.eye(10)[split.y_train]
    now = [array.astype(np.float64) for array in weights]
    velocity, first = [np.zeros_like(array) for array in now], 0.0
    for _ in range(steps):
        logits = x @ now[0] + now[1]
        shares = np.exp(logits - logits.max(1, keepdims=True))
        error = (shares / shares.sum(1, keepdims=True) - targets) / len(x)
        gradients = [x.T @ error, error.sum(0)]
        length = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
        first = first or length
        if settings.gradient_clipping:
            gradients = [gradient * min(1, settings.gradient_clipping / length) for gradient in gradients]
        rate, share = settings.learning_rate, settings.momentum
        now = [array * (1 - rate * settings.weight_decay) for array in now]
        velocity = [share * old - rate * gradient for old, gradient in zip(velocity, gradients, strict=True)]
        moves = velocity
        if settings.nesterov:
            moves = [share * new - rate * gradient for new, gradient in zip(velocity, gradients, strict=True)]
        now = [array + move for array, move in zip(now, moves, strict=True)]
    return now, first


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize(
    "changes",
    [
        {"momentum": 0.0},
        {"momentum": 0.5},
        {"momentum": 0.5, "nesterov": True},
        {"weight_decay": 0.5},
        {"gradient_clipping": 0.25},
        {"gradient_clipping": 100.0},
        {"gradient_clipping": 0.25, "weight_decay": 0.5, "momentum": 0.8, "nesterov": True},
    ],
    ids=str,
)
def test_sgd_steps_match_a_computation_in_numpy(few: Split, changes: dict[str, Any]) -> None:
    settings = Settings(LINEAR, 300, 4, "SGD", 0.2, **{**PLAIN, **changes})
    model = make_model(settings, SEED)
    weights = model.get_weights()
    list(train(model, settings, few, SEED))
    expected, length = by_hand(settings, weights, few, 4)
    for ours, theirs in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    plain, _ = by_hand(replace(settings, **PLAIN), weights, few, 4)
    if changes not in ({"momentum": 0.0}, {"gradient_clipping": 100.0}):
        assert np.abs(plain[0] - expected[0]).max() > 1e-3, "it makes a difference"
    assert 0.25 < length < 100


@pytest.mark.usefixtures("keras")
def test_optimizers_keep_kerass_defaults() -> None:
    """What the published figures were measured with: no decay but AdamW's own, no clipping."""
    for optimizer, decay in (("SGD", None), ("RMSprop", None), ("Adam", None), ("AdamW", 0.004)):
        made = make_model(Settings(LINEAR, 300, 1, optimizer), 0).optimizer
        assert (made.weight_decay, made.global_clipnorm, made.clipnorm, made.use_ema) == (decay, None, None, False)
    sgd = make_model(Settings(LINEAR, 300, 1, "SGD"), 0).optimizer
    assert (sgd.momentum, sgd.nesterov) == (0.9, False)


# reports


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("batch_size", [1, 64, 100, 299, 300])
def test_reports_cover_every_image_and_end_each_epoch_with_validation(few: Split, batch_size: int) -> None:
    settings = Settings(DENSE, batch_size, 2, schedule="cosine")
    reports = list(train(make_model(settings, 0), settings, few, 0))
    per_epoch, rates = math.ceil(300 / batch_size), learning_rates(settings, 2 * math.ceil(300 / batch_size))
    steps = [report.step for report in reports]
    assert steps == sorted(set(steps)) and steps[-1] == 2 * per_epoch
    ends = [report for report in reports if report.val_loss is not None]
    assert [(report.step, report.epoch) for report in ends] == [(per_epoch, 1), (2 * per_epoch, 2)]
    assert all((report.val_loss is None) == (report.val_accuracy is None) for report in reports)
    assert all(report.epoch == report.step // per_epoch for report in reports)
    assert sum(report.images for report in reports if report.step <= per_epoch) == 300
    assert sum(report.images for report in reports) == 600
    assert [report.learning_rate for report in reports] == [pytest.approx(rates[step - 1]) for step in steps]
    assert all(report.seconds > 0 and 0 <= report.accuracy <= 1 and report.loss > 0 for report in reports)


@pytest.mark.usefixtures("keras", "one_step_a_report")
def test_a_small_last_batch_is_reported_with_the_one_before(few: Split) -> None:
    settings = Settings(DENSE, 99, 1)
    assert [report.images for report in train(make_model(settings, 0), settings, few, 0)] == [99, 99, 102]


@pytest.mark.usefixtures("keras")
def test_a_single_batch_on_request_is_one_at_the_end_of_an_epoch_too(few: Split) -> None:
    settings = Settings(DENSE, 150, 1)
    controls = loop.LiveControls(0.001, 1, batches=1)
    assert [report.images for report in train(make_model(settings, 0), settings, few, 0, controls)] == [150, 150]


@pytest.mark.usefixtures("keras")
def test_closing_the_iterator_stops_the_training(few: Split) -> None:
    settings = Settings(DENSE, 1, 50)
    model = make_model(settings, 0)
    reports = train(model, settings, few, 0)
    assert next(reports).step == 1
    reports.close()  # type: ignore[attr-defined]
    assert int(model.optimizer.iterations) < 5


def test_batches_per_call_approach_the_time_between_reports() -> None:
    batches = 1
    for _ in range(20):
        batches = fit_batches_per_call(batches, batches, 0.01 * batches)
    assert batches == int(loop.REPORT_SECONDS / 0.01)
    assert fit_batches_per_call(batches, batches, 1000.0) == 1
    assert fit_batches_per_call(5, 5, 1e-9) == 20, "at most four times as many"


# steps


@pytest.mark.parametrize(
    ("images", "batch_size", "steps"), [(60_000, 256, 235), (100, 100, 1), (101, 100, 2), (5, 1, 5)]
)
def test_steps_per_epoch(images: int, batch_size: int, steps: int) -> None:
    assert steps_per_epoch(images, Settings(DENSE, batch_size, 1)) == steps


# averaged weights


@pytest.mark.usefixtures("keras", "one_step_a_report")
def test_averaged_weights_are_the_moving_average_and_are_swapped_back(few: Split) -> None:
    """The oracle follows the weights step by step: the first are the average, then m × average + (1 - m) × weights."""
    settings = Settings(DENSE, 300, 6, weight_averaging=0.8, learning_rate=0.01)
    model = make_model(settings, SEED)
    average: list[np.ndarray] = []
    for _ in train(model, settings, few, SEED):
        now = model.get_weights()
        average = [0.8 * old + 0.2 * new for old, new in zip(average, now, strict=True)] if average else now
    last = model.get_weights()
    with averaged_weights(model):
        for ours, expected in zip(model.get_weights(), average, strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-6)
        assert not np.allclose(model.get_weights()[0], last[0], atol=1e-4)
    for ours, before in zip(model.get_weights(), last, strict=True):
        np.testing.assert_allclose(ours, before, atol=1e-6)  # Keras swaps by adding and subtracting


@pytest.mark.usefixtures("keras")
def test_averaged_weights_are_swapped_back_after_an_exception(few: Split) -> None:
    settings = Settings(DENSE, 100, 1, weight_averaging=0.8, learning_rate=0.01)
    model = make_model(settings, SEED)
    list(train(model, settings, few, SEED))
    last = model.get_weights()
    with pytest.raises(ZeroDivisionError), averaged_weights(model):
        raise ZeroDivisionError
    for ours, before in zip(model.get_weights(), last, strict=True):
        np.testing.assert_allclose(ours, before, atol=1e-6)


@pytest.mark.usefixtures("keras")
def test_without_averaging_nothing_is_swapped() -> None:
    model = make_model(Settings(DENSE, 100, 1), SEED)
    before = model.get_weights()
    with averaged_weights(model):
        assert all(np.array_equal(ours, old) for ours, old in zip(model.get_weights(), before, strict=True))


# what goes wrong


@pytest.mark.usefixtures("keras")
def test_a_diverging_training_is_an_error_with_the_step_and_the_learning_rate(few: Split) -> None:
    settings = Settings((Flatten(), *(Dense(64, "relu"),) * 4, Dense(10, "softmax")), 32, 3, "SGD", 10.0)
    with pytest.raises(TrainingError, match=r"loss is (nan|inf) at step \d+.*learning rate \(it was 10;.*Adam"):
        list(train(make_model(settings, 0), settings, few, 0))


@pytest.mark.usefixtures("keras")
def test_predictions_that_are_nan_are_an_error(few: Split) -> None:
    """The last step may be the one that ruins the weights: no training loss tells."""
    settings = Settings(DENSE, 300, 1)
    model = make_model(settings, 0)
    original = loop.compile_training_steps

    def ruin(*arguments: Any) -> Any:
        step = original(*arguments)

        def run(*values: Any) -> Any:
            found = [np.asarray(value) for value in step(*values)]
            model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
            return found

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "compile_training_steps", ruin)
        with pytest.raises(TrainingError, match="learning rate"):
            list(train(model, settings, few, 0))


def test_a_batch_larger_than_the_data_is_refused() -> None:
    settings = Settings(DENSE, 301, 1)
    with pytest.raises(
        SettingError, match="batch_size is 301, but there are only 300 training images. Choose at most 300"
    ):
        check_batch_size(settings, 300)
    check_batch_size(settings, 301)


@pytest.mark.usefixtures("keras")
def test_training_refuses_a_batch_larger_than_the_data(few: Split) -> None:
    settings = Settings(DENSE, 301, 1)
    with pytest.raises(SettingError, match="only 300 training images"):
        next(train(make_model(settings, 0), settings, few, 0))


# predictions


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize("count", [1, 500, 501])
def test_predict_equals_keras_predict(sample: Any, count: int) -> None:
    model = make_model(Settings(CONVOLUTION, 10, 1), 0)
    images = sample.x_train[:count]
    found = predict(model, images)
    expected = model.predict(images[..., None].astype(np.float32), verbose=0)
    assert (found.shape, found.dtype) == ((count, 10), np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.usefixtures("keras")
def test_predict_follows_the_weights(few: Split) -> None:
    """The compiled function is kept from call to call; it must not keep the weights of the first."""
    settings = Settings(DENSE, 100, 1, learning_rate=0.01)
    model = make_model(settings, 0)
    before = predict(model, few.x_test)
    list(train(model, settings, few, 0))
    assert np.abs(predict(model, few.x_test) - before).max() > 0.01


@pytest.mark.usefixtures("keras")
def test_the_fast_recipe_reaches_its_accuracy_on_the_full_mnist(full_mnist: Any) -> None:
    """Its mean over ten seeds is 99%; one seed is a little above or below."""
    from mnist_core.data.splits import split_mnist

    settings = RECIPES["fast"].settings
    reports = list(train(make_model(settings, 0), settings, split_mnist(full_mnist, settings.split), 0))
    assert reports[-1].val_accuracy is not None and reports[-1].val_accuracy > 0.985


@pytest.mark.parametrize("layers", [(Dense(3, "softmax"),), (Dense(3), Softmax())])
def test_adjusted_class_prior_follows_bayes_rule(keras: Any, layers: tuple[Layer, ...]) -> None:
    """Oracle: each probability times the ratio of its class's priors, scaled to sum to 1."""
    softmax = [keras.layers.Softmax()] if len(layers) > 1 else []
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, layers[0].activation), *softmax])
    inputs = np.random.default_rng(0).normal(0, 2, (50, 4)).astype(np.float32)
    before = np.asarray(model(inputs))
    adjust_class_prior(model, layers, 2, trained=0.4, assumed=0.05)
    weighted = before * [0.95 / 0.6, 0.95 / 0.6, 0.05 / 0.4]
    assert np.allclose(np.asarray(model(inputs)), weighted / weighted.sum(axis=1, keepdims=True), atol=1e-6)
    adjust_class_prior(model, layers, 2, trained=0.05, assumed=0.4)
    assert np.allclose(np.asarray(model(inputs)), before, atol=1e-6)


def test_a_network_without_a_bias_at_its_end_keeps_its_prior(keras: Any) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax", use_bias=False)])
    before = model.get_weights()[0]
    adjust_class_prior(model, (Dense(3, "softmax", use_bias=False),), 2, trained=0.4, assumed=0.05)
    assert (model.get_weights()[0] == before).all()
    assert biased_output((Flatten(), Softmax())) is None and biased_output((Dense(11, "relu"), Softmax())) is None
