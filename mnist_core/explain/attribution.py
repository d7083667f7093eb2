"""Attribution by gradients: which pixels of an image speak for a class, and which against it.

All methods explain the logits, the values before the softmax: where a probability is close to 0 or 1, its gradient is
close to 0. TensorFlow is imported by the functions that need it.

    gradient               the gradient of the logit (Simonyan et al., 2013, arXiv:1312.6034)
    smooth_grad            its mean over noisy copies of the image (Smilkov et al., 2017, arXiv:1706.03825)
    integrated_gradients   its mean on the path from black to the image, times the image (Sundararajan et al., 2017,
                           arXiv:1703.01365)
    grad_cam               where a convolution responds to the class (Selvaraju et al., 2017, arXiv:1610.02391)
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

SIDE = 28
"""Pixels along each side of a digit and of each map."""

WHITE = 255.0
STEPS = 50
"""Of integrated gradients, from black to the image, to begin with."""

MAX_STEPS = 600
COMPLETENESS_TOLERANCE = 0.01
"""Integrated gradients count as complete if at most this share of the logit difference is missing."""

NOISE = 0.15
"""Standard deviation of SmoothGrad's noise, as a share of the pixel range. The paper recommends 0.1 to 0.2."""

SAMPLES = 50
"""Noisy copies for SmoothGrad. According to the paper, more change little."""

BATCH_SIZE = 50

Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Completeness:
    """Whether integrated gradients account for the whole logit.

    Attributes:
        attribution_sum: of all pixels, in logits.
        logit_difference: the logit of the image minus that of a black image, which the sum should equal.
        steps: from black to the image; more than STEPS if those were not enough.
    """

    attribution_sum: float
    logit_difference: float
    steps: int

    @property
    def gap(self) -> float:
        """The missing part, as a share of the logit difference: 0.01 is 1%."""
        if self.attribution_sum == self.logit_difference:
            return 0.0
        missing = abs(self.attribution_sum - self.logit_difference)
        return missing / abs(self.logit_difference) if self.logit_difference else float("inf")

    @property
    def within_tolerance(self) -> bool:
        """True if the gap is at most COMPLETENESS_TOLERANCE."""
        return self.gap <= COMPLETENESS_TOLERANCE


def conv_layers(architecture: Architecture) -> dict[int, str]:
    """The layers that Grad-CAM can use: index -> name for people. Empty for a network without convolutions."""
    rows = zip(architecture.layers, architecture.summary(), strict=True)
    return {
        index: f"layer {index + 1}: {row.layer}, {format_shape(row.output_shape)}"
        for index, (layer, row) in enumerate(rows)
        if isinstance(layer, Conv2D | DepthwiseConv2D)
    }


def default_grad_cam_layer(architecture: Architecture) -> int | None:
    """The last convolution whose output is at least 4×4; else the last one; None if there is no convolution."""
    indices, rows = list(conv_layers(architecture)), architecture.summary()
    wide = [index for index in indices if min(rows[index].output_shape[:2]) >= 4]
    return (wide or indices)[-1] if indices else None


def block_end(layers: Sequence[Any], first: int) -> int:
    """The index of the last layer of a convolution's block, which includes its normalization and activation layers."""
    same_block, last = ("BatchNormalization", "ReLU", "LeakyReLU"), first
    while last + 1 < len(layers) and type(layers[last + 1]).__name__ in same_block:
        last += 1
    return last


class Explainer:
    """Computes attributions for a Keras model.

    Args:
        model: as built by `networks.keras_model.build_model`: takes (N, size, size, 1) of 0..255, size 28 or 56. Its
            last layer is a Dense with any activation, or an activation such as Softmax; the logits are what comes
            before that activation.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._layers = model.layers
        self._size = int(model.input_shape[1])
        self._logits, self._slopes = _compiled(self, self._size)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes the logits.

        Args:
            images: (N, 28, 28) or (N, size, size) uint8.

        Returns:
            (N, C) float32.

        Raises:
            ModelError: the images have another shape or dtype.
        """
        pixels = np.concatenate([self._pixels(image) for image in images])
        return np.asarray(self._logits(pixels), np.float32)

    def gradient(self, image: NDArray[np.uint8], digits: Sequence[int]) -> Maps:
        """Computes the gradient of each digit's logit.

        Args:
            image: (28, 28) or (size, size) uint8. A 28×28 digit is centered in a larger input.
            digits: indices of the model's outputs.

        Returns:
            (len(digits), 28, 28) float32, in logits per pixel that changes from black to white.

        Raises:
            ModelError: the image has another shape or dtype, or the model has no such output.
        """
        pixels = self._pixels(image)
        return _crop_to_digit(WHITE * np.concatenate([self._slope(pixels, digit) for digit in digits]))

    def smooth_grad(self, image: NDArray[np.uint8], digits: Sequence[int], seed: int = 0) -> Maps:
        """SmoothGrad: averages `gradient` over SAMPLES copies with Gaussian noise, the same for each digit.

        Args:
            image, digits: as for `gradient`.
            seed: of the noise.

        Returns:
            (len(digits), 28, 28) float32, in logits per pixel that changes from black to white.

        Raises:
            ModelError: as `gradient`.
        """
        pixels = self._pixels(image)
        noise = np.random.default_rng(seed).normal(0, NOISE * WHITE, (SAMPLES, *pixels.shape[1:]))
        noisy = (pixels + noise).astype(np.float32)
        return _crop_to_digit(WHITE * np.stack([self._slope(noisy, digit).mean(axis=0) for digit in digits]))

    def integrated_gradients(
        self, image: NDArray[np.uint8], digits: Sequence[int], steps: int = STEPS
    ) -> tuple[Maps, list[Completeness]]:
        """Integrated gradients with a black baseline, by the midpoint rule, with shorter steps where the slope changes.

        Args:
            image, digits: as for `gradient`.
            steps: the number to begin with. If the attributions are not complete, the steps with the largest error
                are halved, up to MAX_STEPS steps.

        Returns:
            (len(digits), 28, 28) float32, in logits: what each pixel adds to the digit's logit; and for each digit
            whether the attributions are complete. If the input is larger than 28×28, the check counts all of it.

        Raises:
            ModelError: as `gradient`.
        """
        pixels = self._pixels(image)
        results = [self._integrate(pixels, digit, steps) for digit in digits]
        return _crop_to_digit(np.stack([values for values, _ in results])), [complete for _, complete in results]

    def _integrate(self, pixels: NDArray[np.float32], digit: int, steps: int) -> tuple[Maps, Completeness]:
        """Returns (size, size, 1) attributions of one digit, and whether they are complete."""
        edges = np.linspace(0, 1, steps + 1)
        logits = self._logits_along(edges[[0, -1]], pixels, digit)
        slopes = self._slope(_interpolate(pixels, (edges[1:] + edges[:-1]) / 2), digit)  # (steps, size, size, 1)
        while True:
            values = pixels[0] * np.tensordot(np.diff(edges), slopes.astype(np.float64), 1)
            complete = Completeness(float(values.sum()), float(logits[-1] - logits[0]), len(slopes))
            if complete.within_tolerance or len(slopes) >= MAX_STEPS:
                return values.astype(np.float32), complete
            if len(logits) < len(edges):  # the first time round
                logits = self._logits_along(edges, pixels, digit)
            # Halve the steps with the largest error: the step's sum minus what the logit really rises by.
            sums = np.diff(edges) * (pixels[0] * slopes).sum(axis=(1, 2, 3), dtype=np.float64)
            worst = np.sort(np.argsort(-np.abs(sums - np.diff(logits)))[: BATCH_SIZE // 2])
            middles = (edges[worst] + edges[worst + 1]) / 2
            logits = np.insert(logits, worst + 1, self._logits_along(middles, pixels, digit))
            edges = np.insert(edges, worst + 1, middles)
            slopes = np.repeat(slopes, np.bincount(worst, minlength=len(slopes)) + 1, axis=0)
            halves = ((worst + np.arange(len(worst)))[:, None] + [0, 1]).ravel()
            slopes[halves] = self._slope(_interpolate(pixels, (edges[halves] + edges[halves + 1]) / 2), digit)

    def _logits_along(
        self, positions: NDArray[np.float64], pixels: NDArray[np.float32], digit: int
    ) -> NDArray[np.float64]:
        """(N,) the digit's logit at N positions between a black image, 0, and the image, 1."""
        return np.asarray(self._logits(_interpolate(pixels, positions)), np.float64)[:, self._checked(digit)]

    def grad_cam(self, image: NDArray[np.uint8], digits: Sequence[int], layer: int) -> Maps:
        """Grad-CAM: sums the channels of a convolution, each weighted by the mean gradient of the digit's logit.

        Negative values of the sum are set to 0.

        Args:
            image, digits: as for `gradient`.
            layer: index of a layer whose output is an image of channels. The normalization and activation layers that
                follow it are included: before its ReLU, a map is mostly negative, and would be set to 0.

        Returns:
            (len(digits), 28, 28) float32, 0 or more, in logits: the map of the layer, resized with interpolation.

        Raises:
            ModelError: as `gradient`, or the layer's output is not an image.
        """
        import tensorflow as tf

        pixels = self._pixels(image)
        if not 0 <= layer < len(self._layers) or len(self._layers[layer].output.shape) != 4:
            raise ModelError(f"Grad-CAM needs a convolution, and layer {layer + 1} is none: it does not output images.")
        layer = block_end(self._layers, layer)
        channels = tf.repeat(self.forward(pixels, last=layer), len(digits), axis=0)  # (K, h, w, channels)
        with tf.GradientTape() as tape:
            tape.watch(channels)
            logits = self.forward(channels, first=layer + 1)  # (K, C)
            chosen = tf.gather(logits, [self._checked(digit) for digit in digits], batch_dims=1)
        weights = tf.reduce_mean(tape.gradient(chosen, channels), axis=(1, 2), keepdims=True)
        coarse = np.asarray(tf.nn.relu(tf.reduce_sum(weights * channels, axis=3)), np.float32)  # (K, h, w)
        return _crop_to_digit(np.stack([cv2.resize(each, (self._size,) * 2) for each in coarse])[..., None])

    def activations(self, image: NDArray[np.uint8], layer: int) -> NDArray[np.float32]:
        """Returns a layer's output for one image: (h, w, channels) or (units,) float32.

        Raises:
            ModelError: the image has another shape or dtype.
        """
        return np.asarray(self.forward(self._pixels(image), last=layer)[0], np.float32)

    def forward(self, values: Any, first: int = 0, last: int | None = None) -> Any:
        """Applies the layers from `first` to `last`; without `last`, up to the logits."""
        for layer in self._layers[first : None if last is None else last + 1]:
            values = _linear(layer, values) if last is None and layer is self._layers[-1] else layer(values)
        return values

    def _slope(self, pixels: NDArray[np.float32], digit: int) -> NDArray[np.float32]:
        """d logit / d pixel of (N, size, size, 1) pixels, in the same shape."""
        self._checked(digit)
        parts = [pixels[start : start + BATCH_SIZE] for start in range(0, len(pixels), BATCH_SIZE)]
        return np.concatenate([np.asarray(self._slopes(part, digit)) for part in parts])

    def _pixels(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns a checked image as (1, size, size, 1) float32 of 0..255."""
        if image.dtype != np.uint8 or image.shape not in ((SIDE, SIDE), (self._size,) * 2):
            raise ModelError(
                f"Expected a 28×28 or {self._size}×{self._size} image of uint8, got {image.shape} {image.dtype}."
            )
        margin = (self._size - len(image)) // 2
        return np.pad(image, margin)[None, ..., None].astype(np.float32)

    def _checked(self, digit: int) -> int:
        outputs = int(self._layers[-1].output.shape[-1])
        if not 0 <= digit < outputs:
            raise ModelError(f"This model has outputs from 0 to {outputs - 1}, and no output {digit}.")
        return digit


def _interpolate(pixels: NDArray[np.float32], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, size, size, 1): the image at N positions between a black image, 0, and itself, 1."""
    return positions.astype(np.float32)[:, None, None, None] * pixels


def _linear(layer: Any, values: Any) -> Any:
    """The output of the last layer before its activation; its input if it is only an activation."""
    import keras

    if isinstance(layer, keras.layers.Dense):
        product = keras.ops.matmul(values, layer.kernel)
        return product + layer.bias if layer.use_bias else product
    return values if isinstance(layer, keras.layers.Softmax | keras.layers.Activation) else layer(values)


def _compiled(explainer: Explainer, size: int) -> tuple[Any, Any]:
    """Compiles two functions of (N, size, size, 1) float32 pixels.

    The first returns the logits, (N, C). The second also takes the index of an output and returns d logit / d pixel, in
    the shape of the pixels.
    """
    import tensorflow as tf

    images = tf.TensorSpec([None, size, size, 1], tf.float32)

    @tf.function(input_signature=[images], autograph=False)  # type: ignore[untyped-decorator]
    def logits(pixels: Any) -> Any:
        return explainer.forward(pixels)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[images, tf.TensorSpec([], tf.int32)], autograph=False
    )
    def slopes(pixels: Any, digit: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            chosen = explainer.forward(pixels)[:, digit]
        return tape.gradient(chosen, pixels)  # each image's logit depends on that image alone

    return logits, slopes


def _crop_to_digit(maps: NDArray[Any]) -> Maps:
    """The 28×28 pixels in the middle of (K, size, size, 1) maps, as (K, 28, 28) float32."""
    margin = (maps.shape[1] - SIDE) // 2
    return np.asarray(maps[:, margin : margin + SIDE, margin : margin + SIDE, 0], np.float32)
