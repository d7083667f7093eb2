"""Sweeps that are ready to start: small enough to finish while a class watches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mnist_core.sweeps.plan import RETRAIN_SEEDS, SweepPlan, make_plan


@dataclass(frozen=True)
class Preset:
    """A sweep with everything chosen, on the offline sample.

    Attributes:
        title: what it searches.
        story: what to look for in its charts.
        arguments: for `make_plan`.
    """

    title: str
    story: str
    arguments: dict[str, Any]

    def plan(self) -> SweepPlan:
        """A new plan from the arguments."""
        return make_plan(**self.arguments, title=self.title)


PRESETS = {
    "batch-size-and-learning-rate": Preset(
        "Batch size × learning rate",
        "The two settings that everyone tries first depend on each other: a large batch takes few steps per "
        "epoch and needs a large learning rate; with a small batch, the same learning rate makes training diverge. "
        "Look for the ridge that runs through the heat map from corner to corner.",
        {
            "base": "fast",
            "vary": ("batch_size=16,64,256,1024", "learning_rate=0.0003,0.001,0.003,0.01,0.03"),
            "epochs": 2,
            "data": "sample",
            "sampler": "grid",
            "prune": False,
            "measure": "accuracy",
            "retrain_seeds": RETRAIN_SEEDS,
        },
    ),
}
"""By the name that `--ready` takes."""
