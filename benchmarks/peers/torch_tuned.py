"""PyTorch on CPUs as fast as we can make it, for benchmarks/seconds_to_99.py. Needs torch.

All images become floats once, `channels_last`, before the first step; threads are the cores; Adam is the fused one. The
defaults of `Recipe` are the best that `python benchmarks/seconds_to_99.py --tune` found, for both networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Recipe:
    """What can be tuned."""

    batch: int = 256
    peak: float = 0.02
    """The highest learning rate."""
    momenta: tuple[float, float] | None = None
    """Lowest and highest β₁; None: it stays at 0.7."""
    glorot: bool = True
    """The initial weights of Keras instead of PyTorch's."""
    network: str = "fast"
    """A name in NETWORKS."""


def _network(first: nn.Module, window: int, second: nn.Module, outputs: int, *hidden: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        first,
        nn.MaxPool2d(window),
        nn.ReLU(),
        second,
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        *hidden,
        nn.ReLU(),
        nn.Linear(outputs, 10),
    )


NETWORKS = {
    "fast": lambda: _network(
        nn.Conv2d(1, 16, 5),
        3,
        nn.Conv2d(16, 48, 3, padding="same"),
        128,
        nn.Linear(768, 128, bias=False),
        nn.BatchNorm1d(128, momentum=0.2),
    ),
    "copied": lambda: _network(nn.Conv2d(1, 24, 5), 2, nn.Conv2d(24, 32, 3), 256, nn.Linear(800, 256)),
}
"""`fast`: that of our recipe, 107,482 parameters. `copied`: that of a recipe many have copied, 215,194."""


def initialize(model: nn.Sequential) -> None:
    """Draws the weights as Keras does: Glorot's uniform distribution for kernels, zeros for biases."""
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def train(images: Any, labels: Any, epochs: int, seed: int, threads: int, recipe: Recipe) -> nn.Module:
    """Trains on (N, 28, 28) uint8 images and (N,) uint8 labels, both arrays of NumPy."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    pixels = torch.from_numpy(images)[:, None].float().div_(255).to(memory_format=torch.channels_last)
    targets = torch.from_numpy(labels).long()
    model = NETWORKS[recipe.network]().to(memory_format=torch.channels_last)
    if recipe.glorot:
        initialize(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.peak, betas=(0.7, 0.9), fused=True)
    cycle: dict[str, Any] = {"cycle_momentum": False}
    if recipe.momenta is not None:
        cycle = {"base_momentum": recipe.momenta[0], "max_momentum": recipe.momenta[1]}
    steps = epochs * -(-len(labels) // recipe.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=recipe.peak, total_steps=steps, **cycle)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(recipe.batch):
            loss = nn.functional.cross_entropy(model(pixels[chosen]), targets[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


def accuracy(model: nn.Module, images: Any, labels: Any) -> float:
    """The share of (N, 28, 28) uint8 images that the model reads right, 0..1."""
    model.eval()
    with torch.no_grad():
        pixels = torch.from_numpy(images)[:, None].float().div_(255)
        read = torch.cat([model(batch).argmax(1) for batch in pixels.split(1000)])
    return float((read == torch.from_numpy(labels)).float().mean())
