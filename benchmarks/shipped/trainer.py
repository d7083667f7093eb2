"""Trains a network on a GPU: Adam, one cycle, augmentation, averaged weights, and the soft targets of teachers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from augmentation import augment
from network import Weights, initial_weights, logits

from mnist_core.networks.layers import Layer

jax.config.update("jax_default_prng_impl", "rbg")

CHUNK = 250
"""Steps per call of the GPU."""
PREDICTED = 500
"""Images predicted at once."""
OUTPUTS = 11


class Pool(NamedTuple):
    """All training images, on the GPU: MNIST's first, then drawn digits, then non-digits. They begin at `starts`."""

    images: Any
    labels: Any
    starts: Any


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        steps: batches in all.
        batch: images per batch.
        rate: peak of the learning rate.
        mnist: share of MNIST in a batch, at first.
        late_mnist: share of MNIST in the last third of the steps.
        non_digits: share of non-digits among the rest.
        decay: decoupled weight decay.
        average: momentum of the average of the weights.
        soft: weight of the teachers' targets in the loss.
        temperature: at which student and teachers are compared.
    """

    steps: int
    batch: int = 512
    rate: float = 0.004
    mnist: float = 0.5
    late_mnist: float = 0.5
    non_digits: float = 0.35
    decay: float = 0.02
    average: float = 0.999
    soft: float = 0.0
    temperature: float = 2.0

    def rates(self) -> np.ndarray:
        """(steps,) a rise over the first fifth, then a cosine to zero."""
        rise = max(1, self.steps // 5)
        step = np.arange(self.steps)
        fall = 0.5 * (1 + np.cos(np.pi * (step - rise) / (self.steps - rise)))
        return self.rate * np.where(step < rise, 0.04 + 0.96 * step / rise, fall)

    def shares(self) -> np.ndarray:
        """(steps,) the share of MNIST."""
        return np.where(np.arange(self.steps) < self.steps * 2 / 3, self.mnist, self.late_mnist)

    @property
    def late_non_digit_share(self) -> float:
        """Share of non-digits in the last batches."""
        return (1 - self.late_mnist) * self.non_digits


class Carry(NamedTuple):
    """Everything that a step changes."""

    weights: Weights
    first: Weights
    second: Weights
    averaged: Weights


Teachers = tuple[tuple[tuple[Layer, ...], bool], ...]
"""By teacher: its network, and True if it knows MNIST only."""


Networks = tuple[tuple[Layer, ...], ...]


def _step_function(networks: Networks, batch: int, teachers: Teachers) -> Any:
    """Returns the function that trains all networks for CHUNK steps on the same batches."""

    def pick(key: Any, share: Any, non_digits: Any, starts: Any) -> Any:
        which, place = jax.random.uniform(key, (2, batch))
        source = (which > share).astype(jnp.int32) + (which > 1 - (1 - share) * non_digits)
        size = (starts[1:] - starts[:-1])[source]
        index = jnp.minimum((place * size).astype(jnp.int32), size - 1)
        return starts[source] + index, source

    def soft_targets(teacher_weights: Any, images: Any, source: Any, temperature: Any) -> Any:
        total, weight = 0.0, 0.0
        for (network, mnist_only), own in zip(teachers, teacher_weights, strict=True):
            told = jax.nn.softmax(logits(network, own, images)[0] / temperature)
            counts = (source == 0).astype(jnp.float32)[:, None] if mnist_only else 1.0
            total, weight = total + told * counts, weight + counts
        return total / weight

    def step(carries: tuple[Carry, ...], now: Any, pool: Any, teacher_weights: Any, numbers: Any) -> Any:
        key, rate, share, count = now
        decay, average, soft, temperature, non_digits = numbers
        keys = jax.random.split(key, 3)
        index, source = pick(keys[0], share, non_digits, pool.starts)
        images = augment(pool.images[index], keys[1])
        hard = jax.nn.one_hot(pool.labels[index], OUTPUTS)
        told = jax.lax.stop_gradient(soft_targets(teacher_weights, images, source, temperature)) if teachers else None

        def advance(number: int, carry: Carry) -> tuple[Carry, Any]:
            dropout_key = jax.random.fold_in(keys[2], number) if number else keys[2]

            def loss(weights: Weights) -> tuple[Any, Weights]:
                found, new = logits(networks[number], weights, images, dropout_key)
                wrong = -(hard * jax.nn.log_softmax(found)).sum(1).mean()
                if told is not None:
                    apart = -(told * jax.nn.log_softmax(found / temperature)).sum(1).mean() * temperature**2
                    wrong = (1 - soft) * wrong + soft * apart
                return wrong, new

            (value, new), gradients = jax.value_and_grad(loss, has_aux=True)(carry.weights)
            fixed = 1 - jnp.power(jnp.array([0.9, 0.999]), count + 1)
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, carry.first, gradients)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, carry.second, gradients)

            def update(old: Any, fresh: Any, m: Any, v: Any) -> Any:
                shrink = rate * decay if old.ndim > 1 else 0.0
                return fresh - shrink * old - rate * (m / fixed[0]) / (jnp.sqrt(v / fixed[1]) + 1e-7)

            weights = jax.tree.map(update, carry.weights, new, first, second)
            blend = jnp.minimum(average, (count + 1) / (count + 10))
            averaged = jax.tree.map(lambda a, w: blend * a + (1 - blend) * w, carry.averaged, weights)
            return Carry(weights, first, second, averaged), value

        after = [advance(number, carry) for number, carry in enumerate(carries)]
        return tuple(carry for carry, _ in after), tuple(value for _, value in after)

    @partial(jax.jit, donate_argnums=0)
    def run(carries: Any, xs: Any, pool: Pool, teacher_weights: Any, numbers: Any) -> Any:
        return jax.lax.scan(lambda c, x: step(c, x, pool, teacher_weights, numbers), carries, xs)

    return run


_programs: dict[Any, Future[Any]] = {}
_compiler = ThreadPoolExecutor(4, "compiler")


def compile_ahead(
    networks: Sequence[Sequence[Layer]],
    batch: int,
    pool: Pool,
    teachers: Sequence[tuple[Sequence[Layer], bool]] = (),
) -> Future[Any]:
    """Begins to compile a training in a thread, while others train."""
    kinds = tuple((tuple(network), mnist_only) for network, mnist_only in teachers)
    name = (tuple(map(tuple, networks)), batch, kinds)
    if name not in _programs:
        shapes = [
            jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), initial_weights(network, 0))
            for network in (*networks, *(network for network, _ in kinds))
        ]
        carries = tuple(Carry(own, own, own, own) for own in shapes[: len(networks)])
        xs = (jax.random.split(jax.random.key(0), CHUNK), *(jnp.zeros(CHUNK),) * 3)
        run, told = _step_function(*name), shapes[len(networks) :]
        _programs[name] = _compiler.submit(lambda: run.lower(carries, xs, pool, told, jnp.zeros(5)).compile())
        for network in dict.fromkeys(name[0]):
            images = np.zeros((PREDICTED, 28, 28), np.uint8)
            _compiler.submit(_predict, network, initial_weights(network, 0), images)
    return _programs[name]


def train_together(
    networks: Sequence[Sequence[Layer]],
    plan: Plan,
    pool: Pool,
    seeds: Sequence[int],
    teachers: Sequence[tuple[Sequence[Layer], Weights, bool]] = (),
) -> tuple[list[Carry], float]:
    """Trains networks on the same batches, which saves asking the teachers for each of them.

    Args:
        networks: the networks.
        plan: how to train them.
        pool: the images.
        seeds: of the weights, by network. The first is that of the batches, the augmentation and the dropout.
        teachers: networks, their weights, and True for those that know MNIST only.

    Returns:
        By network: its averaged and its last weights; and the seconds without compilation.
    """
    if plan.steps % CHUNK:
        raise ValueError(f"The number of steps must be a multiple of {CHUNK}.")
    run = compile_ahead(networks, plan.batch, pool, [(network, only) for network, _, only in teachers]).result()
    carries: Any = tuple(
        Carry(initial_weights(n, seed), *_zeros(n), initial_weights(n, seed))
        for n, seed in zip(networks, seeds, strict=True)
    )
    told = [weights for _, weights, _ in teachers]
    numbers = jnp.array([plan.decay, plan.average, plan.soft, plan.temperature, plan.non_digits], jnp.float32)
    keys = jax.random.split(jax.random.key(seeds[0]), plan.steps)
    rates, shares = plan.rates().astype(np.float32), plan.shares().astype(np.float32)
    seconds, losses = 0.0, []
    for start in range(0, plan.steps, CHUNK):
        part = slice(start, start + CHUNK)
        count = jnp.arange(part.start, part.stop, dtype=jnp.float32)
        began = time.perf_counter()
        carries, loss = run(carries, (keys[part], rates[part], shares[part], count), pool, told, numbers)
        losses.append([float(each.mean()) for each in loss])
        seconds += time.perf_counter() - began
    if not np.isfinite(losses[-1]).all():
        raise FloatingPointError(f"The losses are {losses[-1]}.")
    shown = " -> ".join(", ".join(f"{each:.4f}" for each in losses[n]) for n in (0, len(losses) // 2, -1))
    print(f"    loss {shown}; {seconds:.1f} s", flush=True)
    return list(carries), seconds


def _zeros(network: Sequence[Layer]) -> tuple[Weights, Weights]:
    """Returns two moments of all weights, 0."""
    return tuple(jax.tree.map(jnp.zeros_like, initial_weights(network, 0)) for _ in range(2))  # type: ignore[return-value]


def train(
    layers: Sequence[Layer],
    plan: Plan,
    pool: Pool,
    seed: int,
    teachers: Sequence[tuple[Sequence[Layer], Weights, bool]] = (),
) -> tuple[Weights, Weights, float]:
    """Trains one network; see `train_together`. Returns its averaged and last weights, and the seconds."""
    (carry,), seconds = train_together([layers], plan, pool, [seed], teachers)
    return carry.averaged, carry.weights, seconds


@partial(jax.jit, static_argnums=0)
def _predict(layers: tuple[Layer, ...], weights: Weights, images: Any) -> Any:
    with jax.default_matmul_precision("highest"):
        return logits(layers, weights, images.astype(jnp.float32), precise=True)[0]


def predict(layers: Sequence[Layer], weights: Weights, images: np.ndarray, batch: int = PREDICTED) -> np.ndarray:
    """Returns the (N, 11) logits of (N, 28, 28) uint8 images, in float32."""
    padded = np.concatenate([images, np.zeros((-len(images) % batch, 28, 28), np.uint8)])
    parts = [_predict(tuple(layers), weights, padded[start : start + batch]) for start in range(0, len(padded), batch)]
    return np.concatenate([np.asarray(part) for part in parts])[: len(images)]
