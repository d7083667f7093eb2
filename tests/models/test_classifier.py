"""A converted model predicts what its Keras model predicts, in many threads; other files and images are rejected."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.errors import ModelError
from mnist_core.models.classifier import BATCH, Classifier
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.networks.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D, MaxPooling2D, Rescaling
from tests.support import ROOT

LAYERS = (Rescaling(1 / 255), Conv2D(6, 5, 2, activation="relu"), MaxPooling2D(), Flatten(), Dense(10, "softmax"))
WIDE = (Rescaling(1 / 255), Conv2D(6, 7, 3), MaxPooling2D(), Flatten(), Dense(100, "softmax"))


def convert(
    function: Callable[..., Any], *shapes: tuple[int | None, ...], dtype: str = "float32", flex: bool = False
) -> bytes:
    """Converts a function to a LiteRT model. `flex` permits operations that LiteRT cannot run."""
    import tensorflow as tf

    signature = [tf.TensorSpec(shape, dtype) for shape in shapes]
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if flex:
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    return bytes(converter.convert())


def make_models(folder: Path, layers: tuple[Any, ...], size: int) -> tuple[Any, Path]:
    """Makes a Keras model whose weights are so large that predictions differ, and its LiteRT file."""
    import tensorflow as tf

    model = build_model(Architecture(layers, size))
    generator = np.random.default_rng(0)
    model.set_weights([generator.normal(0, 0.3, weights.shape) for weights in model.get_weights()])
    path = folder / f"{size}.tflite"
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return model, path


@pytest.fixture(scope="module")
def small(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    return make_models(tmp_path_factory.mktemp("small"), LAYERS, 28)


@pytest.fixture(scope="module")
def wide(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A model with 56×56 pixels and a hundred outputs."""
    return make_models(tmp_path_factory.mktemp("wide"), WIDE, 56)


def random_images(count: int, size: int = 28, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), dtype=np.uint8)


def keras_probabilities(model: Any, images: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(images[..., None].astype(np.float32), verbose=0, batch_size=500))


@pytest.mark.parametrize("count", [1, 2, BATCH, BATCH + 1, 200])
def test_probabilities_match_keras(small: tuple[Any, Path], count: int) -> None:
    model, path = small
    classifier, images = Classifier(path), random_images(count)
    probabilities = classifier.probabilities(images)
    assert (probabilities.shape, probabilities.dtype) == ((count, 10), np.float32)
    np.testing.assert_allclose(probabilities, keras_probabilities(model, images), atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert count == 1 or probabilities.std(axis=0).max() > 0.01, "predictions depend on the image"


def test_changing_the_batch_size_does_not_change_predictions(small: tuple[Any, Path]) -> None:
    """The batch size is part of the shape of the interpreter's tensors."""
    model, path = small
    classifier, images = Classifier(path, threads=2), random_images(200)
    expected = keras_probabilities(model, images)
    for count in (200, 1, 65, 64, 3, 1, 200):
        np.testing.assert_allclose(classifier.probabilities(images[:count]), expected[:count], atol=1e-5)


def test_no_images_give_no_predictions(small: tuple[Any, Path], wide: tuple[Any, Path]) -> None:
    assert Classifier(small[1]).probabilities(random_images(0)).shape == (0, 10)
    assert Classifier(wide[1]).probabilities(random_images(0)).shape == (0, 100)
    assert Classifier(wide[1]).digit_probabilities(random_images(0)).shape == (0, 10)


def test_a_digit_is_centered_in_a_larger_input(wide: tuple[Any, Path]) -> None:
    model, path = wide
    classifier, images = Classifier(path), random_images(70)
    field = np.zeros((70, 56, 56), np.uint8)
    field[:, 14:42, 14:42] = images
    expected = keras_probabilities(model, field)
    assert classifier.input_size == 56
    np.testing.assert_allclose(classifier.probabilities(images), expected, atol=1e-5)
    np.testing.assert_allclose(classifier.probabilities(field), expected, atol=1e-5)
    np.testing.assert_allclose(classifier.digit_probabilities(images), expected[:, :10], atol=1e-5)


def test_outputs_after_the_tenth_are_the_probability_of_no_digit(
    small: tuple[Any, Path], wide: tuple[Any, Path]
) -> None:
    """A model with only ten outputs never rejects an image."""
    for _, path in (small, wide):
        classifier, images = Classifier(path), random_images(30)
        for image, outputs in zip(images, classifier.probabilities(images), strict=True):
            prediction = classifier.predict(image)
            np.testing.assert_allclose(prediction.probabilities, outputs[:10], atol=1e-6)
            assert prediction.digit == outputs[:10].argmax()
            assert prediction.confidence == pytest.approx(outputs[:10].max())
            assert prediction.not_a_digit == pytest.approx(outputs[10:].sum(), abs=1e-5)
            assert prediction.rejected == (outputs[:10].sum() < 0.5)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((28, 28), np.uint8),
        np.zeros((1, 28, 28), np.float32),
        np.zeros((1, 28, 28), np.int64),
        np.zeros((1, 27, 28), np.uint8),
        np.zeros((1, 28, 28, 1), np.uint8),
        np.zeros((1, 56, 56), np.uint8),
        np.zeros((0,), np.uint8),
        np.zeros((2, 28, 56), np.uint8),
    ],
)
def test_images_of_another_shape_or_type_are_rejected(small: tuple[Any, Path], images: np.ndarray) -> None:
    given = re.escape(f"{images.shape} {images.dtype}")
    with pytest.raises(ModelError, match=rf"\(N, 28, 28\) uint8.*{given}"):
        Classifier(small[1]).probabilities(images)


def test_each_thread_gets_the_predictions_of_its_images(small: tuple[Any, Path]) -> None:
    model, path = small
    classifier = Classifier(path)
    batches = [random_images(1 + 23 * number, seed=number) for number in range(8)]
    expected = [keras_probabilities(model, images) for images in batches]
    worst = [0.0] * 8
    barrier = threading.Barrier(8)

    def predict_repeatedly(number: int) -> None:
        barrier.wait()
        for _ in range(20):
            probabilities = classifier.probabilities(batches[number])
            worst[number] = max(worst[number], float(np.abs(probabilities - expected[number]).max()))

    threads = [threading.Thread(target=predict_repeatedly, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(worst) < 1e-5


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "model.tflite", "no model at"), (tmp_path, "is a folder")):
        with pytest.raises(ModelError, match=f"{re.escape(str(path))}.*{words}|{words} {re.escape(str(path))}"):
            Classifier(path)


LOAD = """
import sys
from pathlib import Path
from mnist_core.models.classifier import Classifier
from mnist_core.errors import ModelError
for path in map(Path, sys.argv[1:]):
    try:
        Classifier(path)
        print("loaded", flush=True)
    except ModelError as error:
        print("rejected", path.name in str(error), str(error).count(chr(10)), flush=True)
"""


def load_in_process(paths: list[Path]) -> list[str]:
    """Loads files in another process, because a broken file might crash it. Returns one line per file."""
    command = [sys.executable, "-c", LOAD, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout.splitlines()


def test_a_broken_file_is_an_error_of_one_line_and_not_a_crash(small: tuple[Any, Path], tmp_path: Path) -> None:
    content = small[1].read_bytes()
    contents = [
        b"",
        b"T",
        b"just some text\n" * 200,
        bytes(5000),
        content[:8] + bytes(1000),
        b"PK\x03\x04" + bytes(100),
    ]
    contents += [content[: len(content) * part // 20] for part in range(1, 20)] + [content[:-1]]
    contents += [re.sub(rb"[\w/:;.]{8,}", lambda name: b"\xff" * len(name[0]), content)]  # names that are not UTF-8
    paths = [tmp_path / f"broken-{number}.tflite" for number in range(len(contents))]
    for path, broken in zip(paths, contents, strict=True):
        path.write_bytes(broken)
    assert load_in_process([small[1], *paths]) == ["loaded"] + ["rejected True 0"] * len(paths)


def mean_model(*shape: int) -> Callable[[Any], Any]:
    """Returns the function of a model whose outputs, of this shape, depend only on the mean of an image."""

    def function(images: Any) -> Any:
        import tensorflow as tf

        mean = tf.reduce_mean(tf.cast(images, tf.float32), axis=range(1, len(images.shape)))
        return tf.nn.softmax(tf.reshape(mean, (-1, *[1] * len(shape))) * tf.range(float(np.prod(shape)))[None])

    return function


def determinant(images: Any) -> Any:
    import tensorflow as tf

    return tf.linalg.det(images[..., 0])[:, None] * tf.ones((1, 10))


@pytest.mark.usefixtures("keras")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            lambda: convert(mean_model(10), (None, 20, 20, 1)),
            r"\[-1, 20, 20, 1\].*\(N, 28, 28, 1\)",
        ),
        (lambda: convert(mean_model(10), (None, 28, 28, 3)), r"\[-1, 28, 28, 3\]"),
        (lambda: convert(mean_model(10), (None, 28, 56, 1)), r"\[-1, 28, 56, 1\]"),
        (lambda: convert(mean_model(10), (None, 784)), r"\[-1, 784\]"),
        (lambda: convert(mean_model(10), (None, 28, 28, 1), dtype="uint8"), "is not a LiteRT model"),
        (lambda: convert(mean_model(3), (None, 28, 28, 1)), r"shape \(1, 3\)"),
        (lambda: convert(lambda a, b: mean_model(10)(a + b), (None, 28, 28, 1), (None, 28, 28, 1)), "takes 2 inputs"),
        (lambda: convert(determinant, (None, 28, 28, 1), flex=True), "is not a LiteRT model"),
    ],
    ids=["size", "channels", "oblong", "flat", "integers", "three-outputs", "two-inputs", "unknown-operation"],
)
def test_models_of_another_kind_are_rejected(tmp_path: Path, content: Callable[[], bytes], words: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content())
    with pytest.raises(ModelError, match=words) as error:
        Classifier(path)
    assert str(path) in str(error.value)


def test_layers_of_all_kinds_convert(keras: Any, tmp_path: Path) -> None:
    """The network builder of the Train page offers all of them."""
    from tests.networks.test_architecture import EXAMPLES

    layers = (Rescaling(1 / 255), *EXAMPLES[6][:2], *EXAMPLES[17][:5], GlobalAveragePooling2D(), Dense(10, "softmax"))
    model, path = make_models(tmp_path, layers, 28)
    images = random_images(5)
    np.testing.assert_allclose(Classifier(path).probabilities(images), keras_probabilities(model, images), atol=1e-4)
