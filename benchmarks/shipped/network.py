"""A network of the product's layers in JAX: the same weights as in Keras, in bfloat16 on a GPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    ReLU,
    Rescaling,
    SpatialDropout2D,
)

Weights = list[list[Any]]
"""By layer: what Keras's `get_weights` returns."""

MOMENTUM = 0.99
"""Of the moving averages of batch normalization, as Keras's default."""


def initial_weights(layers: Sequence[Layer], seed: int) -> Weights:
    """Draws the weights of a network, He-normal for convolutions and Glorot-uniform for the last layer."""
    generator = np.random.default_rng(seed)
    weights: Weights = []
    shape: tuple[int, ...] = (28, 28, 1)
    for layer, row in zip(layers, Architecture(tuple(layers)).summary(), strict=True):
        weights.append([])
        if isinstance(layer, Conv2D):
            size = (layer.kernel_size, layer.kernel_size, shape[-1], layer.filters)
            weights[-1] = [generator.normal(0, math.sqrt(2 / math.prod(size[:3])), size)]
            weights[-1] += [np.zeros(layer.filters)] if layer.use_bias else []
        elif isinstance(layer, Dense):
            limit = math.sqrt(6 / (shape[0] + layer.units))
            weights[-1] = [generator.uniform(-limit, limit, (shape[0], layer.units)), np.zeros(layer.units)]
        elif isinstance(layer, BatchNormalization):
            zeros, ones = np.zeros(shape[-1]), np.ones(shape[-1])
            weights[-1] = [ones, zeros, zeros, ones]
        weights[-1] = [jnp.asarray(array, jnp.float32) for array in weights[-1]]
        shape = row.output_shape
    return weights


def logits(
    layers: Sequence[Layer], weights: Weights, images: Any, key: Any = None, precise: bool = False
) -> tuple[Any, Weights]:
    """Computes the logits of images, before the last softmax.

    Args:
        layers: the network.
        weights: of the network.
        images: (N, 28, 28) of 0..255.
        key: of the dropout in training; None to predict.
        precise: compute in float32 instead of bfloat16.

    Returns:
        (N, units) float32, and the weights with batch normalization's moving averages brought up to date.
    """
    kind = jnp.float32 if precise else jnp.bfloat16
    values = images[..., None]
    new: Weights = []
    for number, (layer, own) in enumerate(zip(layers, weights, strict=True)):
        new.append(own)
        if isinstance(layer, Rescaling):
            values = (values * layer.scale).astype(kind)
        elif isinstance(layer, Conv2D):
            values = jax.lax.conv_general_dilated(
                values,
                own[0].astype(kind),
                (layer.strides, layer.strides),
                layer.padding.upper(),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            values = values + own[1].astype(kind) if layer.use_bias else values
        elif isinstance(layer, BatchNormalization):
            values, new[-1] = _normalize(values, own, layer.epsilon, key is not None)
            values = values.astype(kind)
        elif isinstance(layer, ReLU):
            values = jax.nn.relu(values)
        elif isinstance(layer, MaxPooling2D | AveragePooling2D):
            values = _pool(values, layer)
        elif isinstance(layer, GlobalAveragePooling2D):
            values = values.astype(jnp.float32).mean((1, 2))
        elif isinstance(layer, Flatten):
            values = values.reshape(len(values), -1)
        elif isinstance(layer, Dropout | SpatialDropout2D) and key is not None:
            shape = values.shape if isinstance(layer, Dropout) else (values.shape[0], 1, 1, values.shape[3])
            kept = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - layer.rate, shape)
            values = jnp.where(kept, values / (1 - layer.rate), 0).astype(values.dtype)
        elif isinstance(layer, Dense):
            values = values.astype(jnp.float32) @ own[0] + own[1]
            values = jax.nn.relu(values) if layer.activation == "relu" else values
        elif not isinstance(layer, Dropout | SpatialDropout2D):
            raise TypeError(f"{type(layer).__name__} is not among the layers that this script trains.")
    return values, new


def _normalize(values: Any, own: list[Any], epsilon: float, training: bool) -> tuple[Any, list[Any]]:
    gamma, beta, mean, variance = own
    precise = values.astype(jnp.float32)
    if training:
        axes = tuple(range(values.ndim - 1))
        now = precise.mean(axes)
        spread = jnp.maximum(jnp.square(precise).mean(axes) - jnp.square(now), 0)
        moved = [
            MOMENTUM * old + (1 - MOMENTUM) * jax.lax.stop_gradient(new)
            for old, new in ((mean, now), (variance, spread))
        ]
        mean, variance, own = now, spread, [gamma, beta, *moved]
    scale = gamma * jax.lax.rsqrt(variance + epsilon)
    return precise * scale + (beta - mean * scale), own


def _pool(values: Any, layer: MaxPooling2D | AveragePooling2D) -> Any:
    window = (1, layer.pool_size, layer.pool_size, 1)
    steps = (1, layer.strides or layer.pool_size, layer.strides or layer.pool_size, 1)
    if isinstance(layer, MaxPooling2D):
        return jax.lax.reduce_window(values, -jnp.inf, jax.lax.max, window, steps, layer.padding.upper())
    total = jax.lax.reduce_window(values, 0.0, jax.lax.add, window, steps, "VALID")
    return total / layer.pool_size**2
