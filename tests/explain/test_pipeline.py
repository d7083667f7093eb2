"""The terms of a convolution's sum, compared with the arithmetic of single units, which LiteRT confirms."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.explain.arithmetic import compute_unit
from mnist_core.explain.pipeline import channel_contributions
from mnist_core.networks.layers import Conv2D, DepthwiseConv2D


@pytest.mark.parametrize(
    "layer",
    [
        Conv2D(4, 3),
        Conv2D(4, 3, padding="same", activation="relu"),
        Conv2D(4, 4, 3, "same", use_bias=False),
        DepthwiseConv2D(3, 2, "same"),
        DepthwiseConv2D(2),
    ],
)
def test_contributions_add_up_to_the_weighted_sum(layer: Conv2D | DepthwiseConv2D) -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(9, 7, 3)).astype(np.float32)
    size = layer.kernel_size
    kernel = random.normal(size=(size, size, 3, 1 if isinstance(layer, DepthwiseConv2D) else 4)).astype(np.float32)
    weights = (kernel, random.normal(size=kernel.shape[-1] if kernel.shape[-1] > 1 else 3).astype(np.float32))[
        : 1 + layer.use_bias
    ]
    shape = layer.output_shape(inputs.shape)
    channel = 2
    terms = channel_contributions(layer, weights, inputs, channel)
    assert terms.shape == (*shape[:2], 1 if isinstance(layer, DepthwiseConv2D) else 3)
    for row, column in ((0, 0), (1, 1), (shape[0] - 1, shape[1] - 1)):
        steps = dict(compute_unit(layer, weights, inputs, (row, column, channel)).steps)
        assert terms[row, column].sum() == pytest.approx(steps["weighted sum"], abs=1e-5)
