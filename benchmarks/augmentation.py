"""The cost of augmentation: images per second with it, divided by images per second without it.

    python benchmarks/augmentation.py [--recipe NAME] [--pairs N]

Trains one epoch of each in turns, with the command line. Run it on an idle machine.
"""

from __future__ import annotations

import click
import product
import results


def seconds(recipe: str, augmentation: str) -> float:
    """Of one epoch, import and evaluation left out."""
    only = ("--epochs", "1", "--set", f"augmentation={augmentation}", "--set", "drawings=none")
    return float(product.train(recipe, *only)["train_seconds"])


@click.command()
@click.option("--recipe", default="fleming-cnn", show_default=True)
@click.option("--pairs", default=3, show_default=True)
def main(recipe: str, pairs: int) -> None:
    """Prints each pair and the median ratio."""
    ratios = []
    for number in range(pairs):
        order = ("none", "hand") if number % 2 == 0 else ("hand", "none")
        found = {how: seconds(recipe, how) for how in order}
        ratios.append(found["none"] / found["hand"])
        print(f"{recipe}: {found['none']:.2f} s without, {found['hand']:.2f} s with: {ratios[-1]:.3f}", flush=True)
    results.figure(f"{recipe}: images per second with augmentation", ratios, "×", "≥ 0.85", "training without it")


if __name__ == "__main__":
    main()
