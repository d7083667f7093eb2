"""The peer of benchmarks/fast.py: PyTorch's one epoch to 99%, on the CPU, `channels_last`.

    python benchmarks/peers/torch_fast.py DATA SEED        # needs torch; prints seconds and test accuracy

The widely copied recipe: C24k5 → pool → ReLU → C32k3 → pool → ReLU → D256 → D10, Adam with betas (0.7, 0.9), one cycle
to 0.01, batch 256. DATA is an .npz with Keras's four keys.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch_tuned import network

BATCH = 256


def train(model: nn.Module, images: Any, labels: Any) -> None:
    """One epoch over (N, 1, 28, 28) uint8 images."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.7, 0.9))
    steps = -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=steps, cycle_momentum=False)
    order = torch.randperm(len(images))
    for start in range(0, len(images), BATCH):
        chosen = order[start : start + BATCH]
        pixels = images[chosen].float().div_(255).contiguous(memory_format=torch.channels_last)
        loss = nn.functional.cross_entropy(model(pixels), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def main(path: str, seed: int) -> None:
    """Trains once, and prints what `train --json` would."""
    torch.manual_seed(seed)
    with np.load(path) as arrays:
        parts = {name: torch.from_numpy(arrays[name]) for name in ("x_train", "y_train", "x_test", "y_test")}
    images, test = parts["x_train"][:, None], parts["x_test"][:, None]
    model = network().to(memory_format=torch.channels_last)
    began = time.perf_counter()
    train(model, images, parts["y_train"].long())
    seconds = time.perf_counter() - began
    model.eval()
    with torch.no_grad():
        read = torch.cat([model(batch.float().div(255)).argmax(1) for batch in test.split(1000)])
    accuracy = (read == parts["y_test"]).float().mean().item()
    print(json.dumps({"train_seconds": seconds, "test_accuracy": accuracy}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
