"""What a convolution does with each channel of its input, for the whole image: the terms of its weighted sum."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mnist_core.explain.arithmetic import Array, extract_patch, window_box
from mnist_core.models.weights import Weights
from mnist_core.networks.layers import Conv2D, DepthwiseConv2D


def channel_kernels(layer: Conv2D | DepthwiseConv2D, weights: Weights, channel: int) -> Array:
    """The filter of one output channel, (k, k, C) float32: a slice for each input channel that it sees."""
    kernels = weights[0]
    return np.asarray(kernels[..., channel, :] if isinstance(layer, DepthwiseConv2D) else kernels[..., channel])


def seen_channels(layer: Conv2D | DepthwiseConv2D, inputs: Array, channel: int) -> Array:
    """The input channels that one output channel sees, (H, W, C) float32: a depthwise convolution sees only its own."""
    return inputs[..., channel : channel + 1] if isinstance(layer, DepthwiseConv2D) else inputs


def channel_contributions(layer: Conv2D | DepthwiseConv2D, weights: Weights, inputs: Array, channel: int) -> Array:
    """Computes what each input channel adds to the weighted sum of one output channel.

    Args:
        layer: a convolution.
        weights: its weights, as returned by `models.weights.layer_weights`.
        inputs: (H, W, C) float32, its input for one image.
        channel: of the output.

    Returns:
        (H', W', C) float32. Their sum over the last axis, plus the bias, is the channel before its activation.
    """
    size, strides = layer.kernel_size, layer.strides
    rows, columns = layer.output_shape(inputs.shape)[:2]
    top, left, _, _ = window_box(inputs.shape, size, strides, layer.padding, (0, 0))
    _, _, bottom, right = window_box(inputs.shape, size, strides, layer.padding, (rows - 1, columns - 1))
    padded = extract_patch(seen_channels(layer, inputs, channel), (top, left, bottom, right))
    windows = sliding_window_view(padded, (size, size), (0, 1))[::strides, ::strides]  # (H', W', C, k, k)
    return np.asarray(np.einsum("rsxij,ijx->rsx", windows, channel_kernels(layer, weights, channel)), np.float32)
