"""Why a model answers as it does, by gradients: images in, maps of 28×28 out. TensorFlow is imported when called.

All of it is about the logits, the values before the softmax: probabilities that are nearly 0 or 1 hardly change with
their input, and their gradients tell nothing.

    gradient      the slope of the logit (Simonyan et al., 2013, arXiv:1312.6034)
    smooth        its mean over noisy copies of the image (Smilkov et al., 2017, arXiv:1706.03825)
    integrated    its mean on the way from black to the image, times the image (Sundararajan et al., 2017, 1703.01365)
    grad_cam      where a convolution found what speaks for the digit (Selvaraju et al., 2017, arXiv:1610.02391)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mnist_core.errors import ModelError
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import Conv2D, DepthwiseConv2D, format_shape

SIDE = 28  # of a digit and of each map
WHITE = 255.0
STEPS = 50  # from black to the image
MAX_STEPS = 600
COMPLETENESS_TOLERANCE = 0.01  # of completeness: so much of the difference of the logits may be missing
NOISE = 0.15  # standard deviation, as a share of the range of brightness: the paper finds 0.1 to 0.2 best
SAMPLES = 50  # noisy copies; more change little, says the paper
BATCH_SIZE = 50

Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Completeness:
    """Whether integrated gradients account for the whole answer.

    Attributes:
        total: the sum of the attributions, in logits.
        difference: the logit of the image less that of a black one, which `total` should be.
        steps: from black to the image; more than STEPS where those were not enough.
    """

    total: float
    difference: float
    steps: int

    @property
    def gap(self) -> float:
        """How much of the difference is missing, as a share of it: 0.01 is 1 %."""
        if self.total == self.difference:
            return 0.0
        return abs(self.total - self.difference) / abs(self.difference) if self.difference else float("inf")

    @property
    def holds(self) -> bool:
        """Whether the gap is at most TOLERANCE."""
        return self.gap <= COMPLETENESS_TOLERANCE


def conv_layers(architecture: Architecture) -> dict[int, str]:
    """The layers that Grad-CAM can look at: index -> name for people. Empty for a network without convolutions."""
    rows = zip(architecture.layers, architecture.summary(), strict=True)
    return {
        index: f"layer {index + 1}: {row.layer}, {format_shape(row.output_shape)}"
        for index, (layer, row) in enumerate(rows)
        if isinstance(layer, Conv2D | DepthwiseConv2D)
    }


def default_grad_cam_layer(architecture: Architecture) -> int | None:
    """The last convolution whose map is more than a few pixels wide; the last of all, or None where there is none."""
    found, rows = list(conv_layers(architecture)), architecture.summary()
    wide = [index for index in found if min(rows[index].output_shape[:2]) >= 4]
    return (wide or found)[-1] if found else None


def block_end(layers: Sequence[Any], first: int) -> int:
    """The index of the last layer that belongs to a convolution: its own normalisation and activation follow it."""
    belonging, last = ("BatchNormalization", "ReLU", "LeakyReLU"), first
    while last + 1 < len(layers) and type(layers[last + 1]).__name__ in belonging:
        last += 1
    return last


class Explainer:
    """A Keras model, ready to be asked for the reasons of its answers.

    Args:
        model: as keras_model.build_model makes it: (N, size, size, 1) of 0..255 in, size 28 or 56. Its last layer is a Dense
            with any activation, or an activation such as Softmax: what comes before that are the logits.
    """

    def __init__(self, model: Any) -> None:
        self.model, self._layers, self._size = model, model.layers, int(model.input_shape[1])
        self._logits, self._slopes = _compiled(self, self._size)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, C) float32, for (N, 28, 28) or (N, size, size) uint8. Raises ModelError for other shapes."""
        pixels = np.concatenate([self._pixels(image) for image in images])
        return np.asarray(self._logits(pixels), np.float32)

    def gradient(self, image: NDArray[np.uint8], digits: Sequence[int]) -> Maps:
        """The slope of each digit's logit.

        Args:
            image: (28, 28) or (size, size) uint8. A 28×28 digit goes into the middle of a larger input.
            digits: indices of outputs.

        Returns:
            (len(digits), 28, 28) float32, in logits a pixel that turns from black to white.

        Raises:
            ModelError: for an image of another shape, or an output that the model has not.
        """
        pixels = self._pixels(image)
        return _middles(WHITE * np.concatenate([self._slope(pixels, digit) for digit in digits]))

    def smooth(self, image: NDArray[np.uint8], digits: Sequence[int], seed: int = 0) -> Maps:
        """SmoothGrad: the mean of `gradient` over SAMPLES copies with Gaussian noise, the same for each digit.

        Args, Returns, Raises: as `gradient`. `seed`: of the noise.
        """
        pixels = self._pixels(image)
        noise = np.random.default_rng(seed).normal(0, NOISE * WHITE, (SAMPLES, *pixels.shape[1:]))
        noisy = (pixels + noise).astype(np.float32)
        return _middles(WHITE * np.stack([self._slope(noisy, digit).mean(axis=0) for digit in digits]))

    def integrated(
        self, image: NDArray[np.uint8], digits: Sequence[int], steps: int = STEPS
    ) -> tuple[Maps, list[Completeness]]:
        """Integrated gradients from black, by the midpoint rule; the steps are shorter where the slope changes.

        Args:
            image, digits: as `gradient`.
            steps: to begin with. Where the attributions are not complete then, the steps that miss most are halved,
                up to MOST_STEPS in all.

        Returns:
            (len(digits), 28, 28) float32, in logits: what each pixel adds to the digit's logit. And for each digit
            whether they are complete; of a larger input than 28×28 what lies around the digit is counted, too.

        Raises:
            ModelError: as `gradient`.
        """
        pixels = self._pixels(image)
        found = [self._integrated(pixels, digit, steps) for digit in digits]
        return _middles(np.stack([values for values, _ in found])), [complete for _, complete in found]

    def _integrated(self, pixels: NDArray[np.float32], digit: int, steps: int) -> tuple[Maps, Completeness]:
        """(size, size, 1) attributions. How far the logit really rises in each step tells which to halve."""
        edges = np.linspace(0, 1, steps + 1)
        heights = self._heights(edges[[0, -1]], pixels, digit)
        slopes = self._slope(_along(pixels, (edges[1:] + edges[:-1]) / 2), digit)  # (steps, size, size, 1)
        while True:
            values = pixels[0] * np.tensordot(np.diff(edges), slopes.astype(np.float64), 1)
            complete = Completeness(float(values.sum()), float(heights[-1] - heights[0]), len(slopes))
            if complete.holds or len(slopes) >= MAX_STEPS:
                return values.astype(np.float32), complete
            if len(heights) < len(edges):
                heights = self._heights(edges, pixels, digit)
            sums = np.diff(edges) * (pixels[0] * slopes).sum(axis=(1, 2, 3), dtype=np.float64)
            worst = np.sort(np.argsort(-np.abs(sums - np.diff(heights)))[: BATCH_SIZE // 2])
            middles = (edges[worst] + edges[worst + 1]) / 2
            heights = np.insert(heights, worst + 1, self._heights(middles, pixels, digit))
            edges = np.insert(edges, worst + 1, middles)
            slopes = np.repeat(slopes, np.bincount(worst, minlength=len(slopes)) + 1, axis=0)
            halves = ((worst + np.arange(len(worst)))[:, None] + [0, 1]).ravel()
            slopes[halves] = self._slope(_along(pixels, (edges[halves] + edges[halves + 1]) / 2), digit)

    def _heights(self, places: NDArray[np.float64], pixels: NDArray[np.float32], digit: int) -> NDArray[np.float64]:
        """(N,) the digit's logit at N places on the way from black, 0, to the image, 1."""
        return np.asarray(self._logits(_along(pixels, places)), np.float64)[:, self._checked(digit)]

    def grad_cam(self, image: NDArray[np.uint8], digits: Sequence[int], layer: int) -> Maps:
        """Grad-CAM: the channels of a convolution, each weighted by the mean slope of the digit's logit, negatives cut.

        Args:
            image, digits: as `gradient`.
            layer: index of a layer that gives an image of channels. Normalisation and activation after it count as
                its own: a map before its ReLU is below zero for the most part, and would be cut away.

        Returns:
            (len(digits), 28, 28) float32, 0 or more, in logits: the coarse map of the layer, made larger smoothly.

        Raises:
            ModelError: as `gradient`, or where the layer gives no image.
        """
        import tensorflow as tf

        pixels = self._pixels(image)
        if not 0 <= layer < len(self._layers) or len(self._layers[layer].output.shape) != 4:
            raise ModelError(f"Layer {layer + 1} gives no image of channels: Grad-CAM needs a convolution.")
        layer = block_end(self._layers, layer)
        channels = tf.repeat(self.forward(pixels, last=layer), len(digits), axis=0)  # (K, h, w, channels)
        with tf.GradientTape() as tape:
            tape.watch(channels)
            logits = self.forward(channels, first=layer + 1)  # (K, C)
            chosen = tf.gather(logits, [self._checked(digit) for digit in digits], batch_dims=1)
        weights = tf.reduce_mean(tape.gradient(chosen, channels), axis=(1, 2), keepdims=True)
        coarse = np.asarray(tf.nn.relu(tf.reduce_sum(weights * channels, axis=3)), np.float32)  # (K, h, w)
        return _middles(np.stack([cv2.resize(each, (self._size,) * 2) for each in coarse])[..., None])

    def activations(self, image: NDArray[np.uint8], layer: int) -> NDArray[np.float32]:
        """What a layer gives for one image: (h, w, channels) or (units,) float32. Raises ModelError as `gradient`."""
        return np.asarray(self.forward(self._pixels(image), last=layer)[0], np.float32)

    def forward(self, values: Any, first: int = 0, last: int | None = None) -> Any:
        """Goes through the layers from `first` to `last`: by default to the logits."""
        for layer in self._layers[first : None if last is None else last + 1]:
            values = _linear(layer, values) if last is None and layer is self._layers[-1] else layer(values)
        return values

    def _slope(self, pixels: NDArray[np.float32], digit: int) -> NDArray[np.float32]:
        """d logit / d pixel, (N, size, size, 1) float32, as (N, size, size, 1) pixels."""
        self._checked(digit)
        parts = [pixels[start : start + BATCH_SIZE] for start in range(0, len(pixels), BATCH_SIZE)]
        return np.concatenate([np.asarray(self._slopes(part, digit)) for part in parts])

    def _pixels(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, size, size, 1) float32 of 0..255."""
        if image.dtype != np.uint8 or image.shape not in ((SIDE, SIDE), (self._size,) * 2):
            raise ModelError(
                f"Expected an image (28, 28) uint8, or of side {self._size}; got {image.shape} {image.dtype}."
            )
        margin = (self._size - len(image)) // 2
        return np.pad(image, margin)[None, ..., None].astype(np.float32)

    def _checked(self, digit: int) -> int:
        outputs = int(self._layers[-1].output.shape[-1])
        if not 0 <= digit < outputs:
            raise ModelError(f"Asked about output {digit}, and this model has those from 0 to {outputs - 1}.")
        return digit


def _along(pixels: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, size, size, 1): the image at N places on the way from black, 0, to itself, 1."""
    return places.astype(np.float32)[:, None, None, None] * pixels


def _linear(layer: Any, values: Any) -> Any:
    """What the last layer gives before its activation; its input where it is nothing but an activation."""
    import keras

    if isinstance(layer, keras.layers.Dense):
        product = keras.ops.matmul(values, layer.kernel)
        return product + layer.bias if layer.use_bias else product
    return values if isinstance(layer, keras.layers.Softmax | keras.layers.Activation) else layer(values)


def _compiled(explainer: Explainer, size: int) -> tuple[Any, Any]:
    """Two functions of (N, size, size, 1) float32 pixels: their logits (N, C), and, given the index of an output too,
    d logit / d pixel, shaped as the pixels."""
    import tensorflow as tf

    images = tf.TensorSpec([None, size, size, 1], tf.float32)

    @tf.function(input_signature=[images])  # type: ignore[untyped-decorator]
    def logits(pixels: Any) -> Any:
        return explainer.forward(pixels)

    @tf.function(input_signature=[images, tf.TensorSpec([], tf.int32)])  # type: ignore[untyped-decorator]
    def slopes(pixels: Any, digit: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            chosen = explainer.forward(pixels)[:, digit]
        return tape.gradient(chosen, pixels)  # each image's logit depends on that image alone

    return logits, slopes


def _middles(maps: NDArray[Any]) -> Maps:
    """The 28×28 pixels of the digit, (K, 28, 28) float32, of (K, size, size, 1)."""
    margin = (maps.shape[1] - SIDE) // 2
    return np.asarray(maps[:, margin : margin + SIDE, margin : margin + SIDE, 0], np.float32)
